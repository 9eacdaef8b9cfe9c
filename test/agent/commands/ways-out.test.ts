// The commands that a finding's page and `plumb check` give to copy, run as they stand there: on a sandbox host, by a real server, in a clone.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { serviceReportSchema } from '../../../shared/report.ts'
import { enrollAgent, reportOf, startTestServer, type TestAgent, type TestServer } from '../../server/kit.ts'
import { command, makeSandbox, type Sandbox } from '../../support/plumb.ts'
import { onTerminal, terminalUnavailable } from '../../support/terminal.ts'

const unavailable = terminalUnavailable()
if (unavailable !== null) console.log(`skipped: ${unavailable}`)

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\n',
  'services/web/README.md': '# web\n',
  'services/web/service.yaml':
    'files: { /etc/web/login: { template: true, diff: true } }\ndirectories: { /etc/web/on: { purge: true } }\n',
  'services/web/files/etc/web/main.conf': 'workers 1;\n',
  "services/web/files/etc/web/anna's site.conf": 'root /srv;\n',
  'services/web/files/etc/web/blob': new Uint8Array([0, 1, 2]),
  'services/web/files/etc/web/login': `user web;\n\n\n\n\n\npass ${'$'}{{ secrets.db }};\n`,
  'services/web/files/etc/web/on/a.conf': 'a\n',
}

let server: TestServer
let agent: TestAgent
let box: Sandbox
let home: string
let clone: string

beforeEach(async () => {
  server = await startTestServer({}, { files })
  agent = await enrollAgent(server, 'web-1')
  box = await makeSandbox({ repo: server.fleet.directory })
  home = await mkdtemp(join(tmpdir(), 'plumb-operator-'))
  clone = join(home, 'clone')
  await server.fleet.git('config', 'receive.denyCurrentBranch', 'ignore')
  await server.fleet.git('clone', '--quiet', server.fleet.directory, clone)
  mkdirSync(join(box.root, 'etc'))
  mkdirSync(join(box.root, 'etc/plumb/secrets'), { recursive: true, mode: 0o700 })
  writeFileSync(join(box.root, 'etc/plumb/secrets/db'), 'hunter2-of-the-database\n', { mode: 0o600 })
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  mkdirSync(join(home, 'bin'))
  // A sandbox is no whole machine: its places are said behind every command that is for the host.
  script('plumb', `case "$PLACES" in '') exec ${command} "$@" ;; *) exec ${command} "$@" $PLACES ;; esac`)
  script('sudo', 'exec "$@"')
  script('editor', 'echo "# by hand" >> "$1"')
})

afterEach(async () => {
  await box.remove()
  await server.remove()
  await rm(home, { recursive: true, force: true })
})

describe.skipIf(unavailable !== null)('the ways out', () => {
  const change: Readonly<Record<string, () => void>> = {
    'file:/etc/web/main.conf': () => writeFileSync(there('main.conf'), 'workers 4;\n'),
    "file:/etc/web/anna's site.conf": () => chmodSync(there("anna's site.conf"), 0o640),
    'file:/etc/web/blob': () => writeFileSync(there('blob'), new Uint8Array([9, 0])),
    'file:/etc/web/login': () =>
      writeFileSync(there('login'), 'user www;\n\n\n\n\n\npass hunter2-of-the-database;\n', { mode: 0o600 }),
    'directory:/etc/web/on': () => writeFileSync(there('on/b.conf'), 'b\n'),
  }
  const fromAnywhere = ['file:/etc/web/main.conf', "file:/etc/web/anna's site.conf"]

  test.each(Object.keys(change))('%s is kept by the commands of its page', async (resource) => {
    change[resource]?.()
    await reported()
    const page = await commandsOf(resource)
    expect(Object.keys(page)).toEqual([
      'keep-it',
      ...(fromAnywhere.includes(resource) ? ['keep-it-from-clone'] : []),
      'apply',
    ])

    await kept(page['keep-it'], { PLACES: places() })
    if (page['keep-it-from-clone'] !== undefined) await kept(page['keep-it-from-clone'])
    const branch = await anyBranch()
    await server.fleet.git('merge', '--quiet', branch)
    expect(await box.plumb('plan')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to do at /) })
  })

  test('a person whom git does not know is asked who they are', async () => {
    change['file:/etc/web/main.conf']?.()
    await reported()
    const page = await commandsOf('file:/etc/web/main.conf')
    const answers = [
      { to: 'Why were', keys: 'it ran out\r' },
      { to: 'Name <mail>', keys: 'Bert <bert@example.org>\r' },
    ]
    const { cwd, env } = person({ PLACES: places() })
    const unknown = Object.fromEntries(Object.entries(env).filter(([name]) => !/^GIT_(?:AUTHOR|COMMITTER)/.test(name)))
    expect(
      await onTerminal(page['keep-it'] ?? 'false', { answers, cwd, env: { ...unknown, GIT_CONFIG_NOSYSTEM: '1' } }),
    ).toMatchObject({
      code: 0,
      unanswered: [],
    })
    expect(await server.fleet.git('log', '-1', '--format=%an <%ae>', await anyBranch())).toBe('Bert <bert@example.org>')
  })

  test('what was removed is kept by its own path, and repaired by the other command', async () => {
    rmSync(there('main.conf'))
    await reported()
    const page = await commandsOf('file:/etc/web/main.conf')
    await kept(page['keep-it'], { PLACES: places() })
    await kept(page['keep-it-from-clone'])
    expect(await server.fleet.git('diff', '--name-status', 'main', await anyBranch())).toBe(
      'D\tservices/web/files/etc/web/main.conf',
    )
    expect(await run(page['apply'], { PLACES: places() })).toMatchObject({ code: 0 })
    expect(await box.plumb('check')).toMatchObject({ code: 0 })
  })

  test('what adopt cannot carry is kept by a commit of the repository, its file new or not', async () => {
    rmSync(there('main.conf'))
    mkdirSync(there('main.conf'))
    await reported()
    const page = await commandsOf('file:/etc/web/main.conf')
    expect(Object.keys(page)).toEqual(['keep-by-hand', 'apply'])
    expect(await run(page['keep-by-hand'])).toMatchObject({ code: 0 })
    expect(await server.fleet.git('log', '-1', '--format=%s', '--name-only', 'main')).toBe(
      'web: say why\n\nservices/web/files/etc/web/main.conf',
    )
  })

  test('a change that would bring a secret into the repository is not adopted, and the page says why', async () => {
    writeFileSync(there('main.conf'), 'pass hunter2-of-the-database;\n')
    await reported()
    expect(Object.keys(await commandsOf('file:/etc/web/main.conf'))).toEqual(['apply'])
    const page = await textOf('file:/etc/web/main.conf')
    expect(page).toContain('the value of a secret would be written')
    expect(page).toContain('Name the secret in a template instead')
  })

  test('a secret that was changed in a template is kept among the secrets, by its page and by a check', async () => {
    const changed = 'user web;\n\n\n\n\n\npass another-word-of-the-database;\n'
    writeFileSync(there('login'), changed, { mode: 0o600 })
    await reported()
    expect(Object.keys(await commandsOf('file:/etc/web/login'))).toEqual(['apply'])
    const remedy = 'Write the new value to the secret db on the hosts instead.'
    expect(await textOf('file:/etc/web/login')).toContain(remedy)
    const { out } = await box.plumb('check')
    expect(out).toContain(remedy)
    expect(out).not.toContain('in a clone')
    expect(out).not.toContain('another-word')
  })

  test('the last lines of a check do what they say, with the options that it had', async () => {
    writeFileSync(there('main.conf'), 'workers 4;\n')
    const one = waysOutIn((await box.plumb('check')).out)
    expect(one.keep).toMatch(/^plumb adopt \/etc\/web\/main\.conf --repo /)
    await kept(one.keep)
    writeFileSync(there('on/b.conf'), 'b\n')
    const all = waysOutIn((await box.plumb('check')).out)
    expect(all.keep).toMatch(/^plumb adopt web --repo /)
    await kept(`${all.keep} --to all`)
    expect(await run(all.back)).toMatchObject({ code: 0 })
    expect((await box.plumb('check')).out).toMatch(/^in sync: .*\n$/)
  })
})

/** Asked why and answered, it pushes a branch. */
async function kept(line: string | undefined, env: NodeJS.ProcessEnv = {}): Promise<void> {
  for (const branch of await branches()) await server.fleet.git('branch', '--quiet', '-D', branch)
  const answers = [{ to: 'Why were', keys: 'it ran out\r' }]
  const { code, shown, unanswered } = await onTerminal(line ?? 'false', { answers, ...person(env) })
  expect(shown).toMatch(/^pushed [0-9a-f]{12} as /m)
  expect(unanswered).toEqual([])
  expect(code).toBe(0)
  expect(await server.fleet.git('log', '-1', '--format=%an: %s', await anyBranch())).toBe('Anna: it ran out')
}

function run(line: string | undefined, env: NodeJS.ProcessEnv = {}) {
  return onTerminal(line ?? 'false', { answers: [], ...person(env) })
}

/** In her clone, with the editor of this test. */
function person(env: NodeJS.ProcessEnv) {
  const [name, email] = ['Anna', 'anna@example.org']
  const names = { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email }
  const PATH = `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`
  return { cwd: clone, env: { ...names, PATH, GIT_CONFIG_GLOBAL: '/dev/null', EDITOR: 'editor', PLACES: '', ...env } }
}

async function branches(): Promise<readonly string[]> {
  const all = await server.fleet.git('for-each-ref', '--format=%(refname:short)', 'refs/heads')
  return all.split('\n').filter((name) => name !== 'main')
}

async function anyBranch(): Promise<string> {
  return (await branches())[0] ?? 'none'
}

function places(): string {
  return `--repo ${server.fleet.directory} --host web-1 --root ${box.root} --state ${box.state}`
}

function there(name: string): string {
  return join(box.root, 'etc/web', name)
}

function script(name: string, text: string): void {
  writeFileSync(join(home, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

async function textOf(resource: string): Promise<string> {
  const response = await server.get(`/hosts/web-1/drift?resource=${encodeURIComponent(resource)}`)
  expect(response.status).toBe(200)
  return await response.text()
}

/** By their ids, as a browser copies them. */
async function commandsOf(resource: string): Promise<Readonly<Record<string, string>>> {
  const found = (await textOf(resource)).matchAll(/<pre id="([^"]+)">([^<]*)<\/pre>/g)
  return Object.fromEntries([...found].map(([, id = '', text = '']) => [id, unescaped(text)]))
}

function unescaped(html: string): string {
  return html.replaceAll('&#39;', "'").replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&amp;', '&')
}

function waysOutIn(out: string): { readonly keep: string; readonly back: string } {
  const of = (start: string) =>
    out
      .split('\n')
      .find((line) => line.startsWith(start))
      ?.slice(start.length) ?? ''
  return { keep: of('to keep it: '), back: of('to repair it: ') }
}

/** As the agent does it: what `check` finds goes to the server. */
async function reported(): Promise<void> {
  const { out } = await box.plumb('check', '--json')
  const { services } = z.object({ services: z.array(serviceReportSchema) }).parse(JSON.parse(out))
  const line = await agent.connect()
  await line.report(reportOf('web-1', { services, revision: await server.fleet.head() }))
  await line.close()
}
