// One service on one host in a state that is asked for, by the real command, a real server and real commits; and copies of that world to type
// commands in. Nothing here says what should be seen.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { type ServiceFact, type ServiceReport, serviceReportSchema } from '../../shared/report.ts'
import { enrollAgent, reportOf, startTestServer, type TestAgent, type TestServer } from '../server/kit.ts'
import { command, makeSandbox, type Sandbox } from '../support/plumb.ts'
import { onTerminal } from '../support/terminal.ts'

export type World = {
  readonly server: TestServer
  readonly box: Sandbox
  /** What `plumb check` finds now, as JSON and as text; the server has it too. */
  reported(): Promise<Checked>
  /** The host is not heard of for longer than the server waits. */
  fallOffline(): Promise<void>
  /** Lines typed one after the other by Anna on the host, or in her clone of the repository; the world is then as it was before. */
  typed(line: string, look: () => Promise<void>): Promise<Typed>
  remove(): Promise<void>
}

export type Checked = { readonly service: ServiceReport; readonly ways: unknown; readonly text: string }
export type Typed = { readonly code: number; readonly shown: string }

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\n',
  'services/web/README.md': '# web\n',
  'services/web/files/etc/web/main.conf': 'workers 1;\n',
  'services/web/files/etc/web/other.conf': 'root /srv;\n',
}

/** What fails is a file where a directory stands with something in it: a new one, or, with nothing pending, one that was exchanged. */
export async function worldIn(facts: readonly ServiceFact[]): Promise<World> {
  const server = await startTestServer({ silentAfterSeconds: 90 }, { files })
  const agent = await enrollAgent(server, 'web-1')
  const box = await makeSandbox({ repo: server.fleet.directory })
  const home = await mkdtemp(join(tmpdir(), 'plumb-operator-'))
  const clone = join(home, 'clone')
  const there = (name: string) => join(box.root, 'etc/web', name)
  const plumb = async (...words: [string, ...string[]]) => (await box.plumb(...words)).code
  mkdirSync(join(home, 'bin'))
  mkdirSync(join(box.root, 'etc'))
  script(home, 'plumb', `case "$PLACES" in '') exec ${command} "$@" ;; *) exec ${command} "$@" $PLACES ;; esac`)
  script(home, 'sudo', 'exec "$@"')
  script(home, 'editor', 'echo "# by hand" >> "$1"')
  await server.fleet.git('config', 'receive.denyCurrentBranch', 'ignore')
  await plumb('apply')
  const isBlocked = facts.includes('failed')
  if (facts.includes('pending'))
    await server.fleet.commit(
      {
        'services/web/files/etc/web/main.conf': 'workers 2;\n',
        ...(isBlocked ? { 'services/web/files/etc/web/blocked': 'x\n' } : {}),
      },
      { message: 'Two workers', author: 'Grace' },
    )
  if (facts.includes('drift')) writeFileSync(there('main.conf'), 'workers 9;\n')
  if (isBlocked) {
    const name = facts.includes('pending') ? 'blocked' : 'other.conf'
    rmSync(there(name), { force: true })
    mkdirSync(there(`${name}/in-the-way`), { recursive: true })
    await plumb('apply')
  }
  if (facts.includes('held')) await plumb('hold', 'web', '--for', '2h', '--why', 'the fix of this night')
  await server.post('/api/v1/sync')
  await server.fleet.git('clone', '--quiet', server.fleet.directory, clone)
  const saved = join(home, 'saved')
  for (const part of ['root', 'state']) cpSync(join(box.directory, part), join(saved, part), copying)
  cpSync(server.fleet.directory, join(saved, 'fleet'), copying)
  cpSync(clone, join(saved, 'clone'), copying)
  const restore = () => {
    for (const part of ['root', 'state']) replace(join(saved, part), join(box.directory, part))
    replace(join(saved, 'fleet'), server.fleet.directory)
    replace(join(saved, 'clone'), clone)
  }
  return {
    ...{ server, box },
    reported: () => reported({ server, agent, box }),
    fallOffline: async () => {
      server.clock.advance(3600)
      await server.tick()
    },
    typed: async (line, look) => {
      const PATH = `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`
      const PLACES = line.includes('--server')
        ? ''
        : `--repo ${server.fleet.directory} --host web-1 --root ${box.root} --state ${box.state}`
      const names = { GIT_AUTHOR_NAME: 'Anna', GIT_AUTHOR_EMAIL: 'anna@example.org' }
      const committer = { GIT_COMMITTER_NAME: 'Anna', GIT_COMMITTER_EMAIL: 'anna@example.org' }
      const env = { ...names, ...committer, PATH, PLACES, GIT_CONFIG_GLOBAL: '/dev/null', EDITOR: 'editor' }
      const answers = line.includes('plumb adopt') ? [{ to: 'Why were', keys: 'it ran out\r' }] : []
      const token = { PLUMB_TOKEN: server.operatorToken }
      const { code, shown } = await onTerminal(line, { answers, cwd: clone, env: { ...env, ...token } })
      await look()
      restore()
      return { code, shown }
    },
    remove: async () => {
      await box.remove()
      await server.remove()
      await rm(home, { recursive: true, force: true })
    },
  }
}

const copying = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const

function replace(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, copying)
}

function script(home: string, name: string, text: string): void {
  writeFileSync(join(home, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

type Parts = { readonly server: TestServer; readonly agent: TestAgent; readonly box: Sandbox }

const checkedSchema = z.object({
  revision: z.string(),
  services: z.array(serviceReportSchema),
  waysOut: z.array(z.object({ service: z.string(), ways: z.array(z.unknown()) })),
})

async function reported({ server, agent, box }: Parts): Promise<Checked> {
  const { revision, services, waysOut } = checkedSchema.parse(JSON.parse((await box.plumb('check', '--json')).out))
  const { out: text } = await box.plumb('check')
  const line = await agent.connect()
  await line.report(reportOf('web-1', { services, revision: await server.fleet.head() }))
  await line.close()
  await server.tick()
  const [service] = services
  if (service === undefined || services.length > 1)
    throw new Error(`one service, not ${services.length} at ${revision}`)
  return { service, ways: waysOut.find((one) => one.service === service.service)?.ways ?? [], text }
}
