// `plumb adopt --server`: from a clone on the operator's machine, with what a real host reported to a real server.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { serviceReportSchema } from '../../../shared/report.ts'
import { enrollAgent, reportOf, startTestServer, type TestServer } from '../../server/kit.ts'
import { makeSandbox, type Ran, runPlumb, type Sandbox } from '../../support/plumb.ts'

const reference = (name: string) => `${'$'}{{ ${name} }}`

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\nvars: { port: "8080" }\n',
  'services/web/README.md': '# web\n',
  'services/web/service.yaml': `files:
  /etc/web/site.conf: { template: true }
  /etc/web/login.conf: { template: true, diff: true }
  /etc/web/main.conf: { diff: true }
directories:
  /etc/web/enabled: { purge: true }
`,
  'services/web/files/etc/web/main.conf': 'workers 1;\nlog off;\n',
  'services/web/files/etc/web/blob': new Uint8Array([0, 1, 2]),
  'services/web/files/etc/web/site.conf': `server ${reference('host.name')};\nlisten ${reference('vars.port')};\nroot /srv;\n`,
  'services/web/files/etc/web/login.conf': `user web;\npass ${reference('secrets.db')};\n`,
  'services/web/files/etc/web/enabled/a.conf': 'a\n',
}

let server: TestServer
let box: Sandbox
let home: string
let clone: string

beforeEach(async () => {
  server = await startTestServer({}, { files })
  box = await makeSandbox({ repo: server.fleet.directory })
  home = await mkdtemp(join(tmpdir(), 'plumb-operator-'))
  clone = join(home, 'clone')
  await server.fleet.git('clone', '--quiet', server.fleet.directory, clone)
  mkdirSync(join(box.root, 'etc'))
  mkdirSync(join(box.root, 'etc/plumb/secrets'), { recursive: true, mode: 0o700 })
  writeFileSync(join(box.root, 'etc/plumb/secrets/db'), 'hunter2-of-the-database\n', { mode: 0o600 })
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
})

afterEach(async () => {
  await box.remove()
  await server.remove()
  await rm(home, { recursive: true, force: true })
})

test('a finding of the server becomes a commit in the clone, and on the remote a branch', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\nlast line without a break')
  await box.write('/etc/web/site.conf', 'server web-1;\nlisten 8080 default;\nroot /srv;\n')
  chmodSync(join(box.root, 'etc/web/main.conf'), 0o640)
  await reported()
  // Meanwhile somebody else was at work.
  await server.fleet.commit({ 'services/web/README.md': '# the web\n' })

  const { code, out, err } = await adopt('web', '-m', 'Four workers')

  expect(err).toBe('')
  expect(code).toBe(0)
  const branch = /as (adopt\/web-1-web-\S+)\n/.exec(out)?.[1] ?? ''
  const show = (path: string) => server.fleet.git('show', `${branch}:${path}`)
  expect(await show('services/web/files/etc/web/main.conf')).toBe('workers 4;\nlog off;\nlast line without a break')
  expect(await show('services/web/files/etc/web/site.conf')).toBe(
    `server ${reference('host.name')};\nlisten ${reference('vars.port')} default;\nroot /srv;`,
  )
  expect(await show('services/web/service.yaml')).toContain('  /etc/web/main.conf: { diff: true, mode: "0640" }\n')
  expect(await server.fleet.git('rev-parse', `${branch}~1`)).toBe(await server.fleet.head())
  expect(await server.fleet.git('log', '-1', '--format=%B', branch)).toContain('Adopted-from: web-1:/etc/web/site.conf')

  await server.fleet.git('merge', '--quiet', branch)
  expect(await box.plumb('plan')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to do at /) })
  await box.plumb('apply')
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
})

test('what only the host has is adopted there, and said', async () => {
  await box.write('/etc/web/login.conf', 'user www;\npass hunter2-of-the-database;\n')
  await box.write('/etc/web/enabled/b.conf', 'b\n')
  await box.write('/etc/web/blob', '\0\0')
  await box.write('/etc/web/main.conf', 'workers 1;\nlog off;\npass hunter2-of-the-database;\n')
  await reported()
  const { code, out } = await adopt('web', '-m', 'The login')
  expect(code).toBe(1)
  const source = 'services/web/files/etc/web'
  expect(out.trim().split('\n').toSorted()).toEqual(
    [
      'not adopted: /etc/web/enabled: services/web/service.yaml: only the host has the content of what is new in the directory. Adopt it on the host itself.',
      `not adopted: /etc/web/blob: ${source}/blob: it is not text. Adopt it on the host itself.`,
      `not adopted: /etc/web/login.conf: ${source}/login.conf: it holds secrets, whose values only the host has. Adopt it on the host itself.`,
      `not adopted: /etc/web/main.conf: ${source}/main.conf: its diff does not lead to what is live there: something in it was masked, or it has changed since. Adopt it on the host itself.`,
    ].toSorted(),
  )
  expect(out).not.toContain('hunter2')
  expect(await server.fleet.git('branch', '--list', 'adopt/*')).toBe('')
})

test('findings are read by whoever may read, of a service, a resource, or at and below a path', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\n')
  await box.write('/etc/web/site.conf', 'none\n')
  await reported()
  const resources = async (query: string) => {
    const response = await server.get(`/api/v1/hosts/web-1/findings${query}`)
    const schema = z.object({ services: z.array(z.object({ findings: z.array(z.object({ resource: z.string() })) })) })
    return schema
      .parse(await response.json())
      .services.flatMap(({ findings }) => findings.map(({ resource }) => resource))
  }
  const [main, site] = ['file:/etc/web/main.conf', 'file:/etc/web/site.conf']
  expect(await resources('')).toEqual([main, site])
  expect(await resources('?service=web')).toEqual([main, site])
  expect(await resources('?service=other')).toEqual([])
  expect(await resources('?path=/etc/web')).toEqual([main, site])
  expect(await resources('?path=/etc/web/main.conf')).toEqual([main])
  expect(await resources('?path=/etc/we')).toEqual([])
  expect(await resources(`?resource=${site}`)).toEqual([site])
  const status = async (path: string) => (await server.get(path)).status
  expect(await status('/api/v1/hosts/web-1/findings?service=web&path=/etc')).toBe(400)
  expect(await status('/api/v1/hosts/web-9/findings')).toBe(404)
  expect(await status('/api/v1/hosts/%2e%2e/findings')).toBe(404)

  await server.restart({ viewers: 'signed-in' })
  const stranger = await fetch(new URL('/api/v1/hosts/web-1/findings', server.url))
  expect(stranger.status).toBe(401)
  const untold = await adopt('web', '-m', 'why')
  expect(untold).toMatchObject({ code: 1, err: expect.stringContaining('Set PLUMB_TOKEN to the operator token') })
  writeFileSync(join(home, 'token'), server.operatorToken, { mode: 0o600 })
  const adopted = await adopt('/etc/web/main.conf', '-m', 'why', '--token-file', join(home, 'token'))
  expect(adopted).toMatchObject({ code: 0, err: '' })
  const hold = /To keep it: plumb (hold web .*)\n/.exec(adopted.out)?.[1] ?? ''
  expect(await runPlumb(wordsOf(hold))).toMatchObject({ code: 0, err: '' })
})

test('a clone without a remote keeps the commit, and the commands that are printed work there', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\n')
  await reported()
  await server.fleet.git(`--git-dir=${clone}/.git`, 'remote', 'remove', 'origin')

  const { code, out } = await adopt('web', '-m', 'why', '--to', 'kept')

  expect(code).toBe(0)
  const push = /The clone has no remote\. Push it to the repository that the host follows: (git push URL kept)\n/.exec(
    out,
  )
  expect(push, out).not.toBeNull()
  const words = wordsOf(push?.[1] ?? '').slice(1)
  const pushed = words.map((word) => (word === 'URL' ? server.fleet.directory : word))
  await server.fleet.git('-C', clone, ...pushed)
  expect(await server.fleet.git('log', '-1', '--format=%s', 'kept')).toBe('why')
  expect(out).toContain('The hold needs the operator token in PLUMB_TOKEN, or by --token-file.\n')
  const hold = /To keep it: plumb (hold web .*)\n/.exec(out)?.[1] ?? ''
  expect(await runPlumb(wordsOf(hold), { env: { PLUMB_TOKEN: server.operatorToken } })).toMatchObject({ code: 0 })
})

/** As a shell makes them of what is pasted. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}

test('what cannot be is said with the way out', async () => {
  await reported()
  expect(await adopt('web', '-m', 'why')).toMatchObject({
    code: 1,
    out: 'nothing to adopt: what is live is what was applied\n',
  })
  const hostless = await runPlumb(['adopt', 'web', '--server', server.url, '-m', 'why'], { cwd: clone })
  expect(hostless.err).toContain('Add --host NAME.')
  await box.write('/etc/web/main.conf', 'workers 4;\n')
  await reported()
  const elsewhere = await runPlumb(['adopt', 'web', '--server', server.url, '--host', 'web-1', '-m', 'why'], {
    cwd: home,
  })
  expect(elsewhere.err).toContain('is no clone of the fleet')
})

/** As the agent does it: what `check` finds goes to the server. */
async function reported(): Promise<void> {
  const { out } = await box.plumb('check', '--json')
  const { services } = z.object({ services: z.array(serviceReportSchema) }).parse(JSON.parse(out))
  const agent = await (await enrollAgentOnce()).connect()
  await agent.report(reportOf('web-1', { services, revision: await server.fleet.head() }))
  await agent.close()
}

let enrolled: { readonly of: TestServer; readonly agent: ReturnType<typeof enrollAgent> } | undefined

function enrollAgentOnce(): ReturnType<typeof enrollAgent> {
  if (enrolled?.of !== server) enrolled = { of: server, agent: enrollAgent(server, 'web-1') }
  return enrolled.agent
}

function adopt(target: string, ...args: readonly string[]): Promise<Ran> {
  const who = { GIT_AUTHOR_NAME: 'Anna', GIT_AUTHOR_EMAIL: 'anna@example.org' }
  const env = {
    ...who,
    GIT_COMMITTER_NAME: 'Anna',
    GIT_COMMITTER_EMAIL: 'anna@example.org',
    GIT_CONFIG_GLOBAL: '/dev/null',
  }
  return runPlumb(['adopt', target, '--server', server.url, '--host', 'web-1', ...args], { env, cwd: clone })
}
