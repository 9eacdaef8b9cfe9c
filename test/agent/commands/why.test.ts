import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { exampleFleet } from '../../lab/example-fleet.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { type ServerForAgents, startServerFor } from '../../support/server.ts'

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'
const message = 'Shorter keep-alive\n\nThe phones of visitors\nhold too many connections.'

let fleet: TestRepository
let reason: string
let box: Sandbox

beforeAll(async () => {
  fleet = await exampleFleet()
  const revision = await fleet.commit({ [nginxConf]: 'events {}\n' }, { message, author: 'Grace' })
  await fleet.commit({ 'services/base/files/etc/motd': 'later\n' }, { message: 'Something else' })
  const body = '    Shorter keep-alive\n\n    The phones of visitors\n    hold too many connections.\n'
  reason = `${nginxConf}\n  ${revision.slice(0, 12)} by Grace on 2026-11-01 12:00:00 UTC\n\n${body}`
})

afterAll(() => fleet.remove())

beforeEach(async () => {
  box = await makeSandbox({})
})

afterEach(() => box.remove())

test('a clone in another object format than agents read is told so', async () => {
  const other = await makeRepository()
  onTestFinished(() => other.remove())
  await promisify(execFile)('rm', ['-rf', other.gitDirectory])
  await other.git('init', '--quiet', '--initial-branch=main', '--object-format=sha256')
  await other.git('commit', '--quiet', '--allow-empty', '-m', 'first')
  const { code, err } = await runPlumb(['why', '/etc/motd', '--repo', other.directory, '--root', box.root])
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('the repository uses SHA-256 ids') })
})

test('a clone says which commit gave a file its content, from any directory of it', async () => {
  const places = ['--root', box.root, '--state', box.state]
  expect(await runPlumb(['why', '/etc/nginx/nginx.conf', '--repo', fleet.directory, ...places])).toEqual({
    code: 0,
    out: reason,
    err: '',
  })
  const cwd = join(fleet.directory, 'services/base')
  expect((await runPlumb(['why', nginxConf, ...places], { cwd })).out).toBe(reason)

  const json = JSON.parse(
    (await runPlumb(['why', '/etc/systemd/system/hello.service', '--json', ...places], { cwd })).out,
  )
  expect(json).toMatchObject([
    { path: '/etc/systemd/system/hello.service', source: 'services/hello/units/hello.service', why: { author: 'Ada' } },
  ])
})

describe('what is not asked by a path of files/ or units/', () => {
  let whole: TestRepository

  beforeAll(async () => {
    whole = await makeRepository({
      'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [shop] }\n',
      'services/shop/README.md': '# shop',
      'services/shop/compose.yaml': 'services: { web: { image: nginx } }\n',
      'services/shop/conf/app.env': 'A=1\n',
      'services/blog/README.md': '# blog',
      'services/blog/compose.yaml': 'services: { web: { image: nginx } }\n',
      'services/blog/service.yaml': 'compose: { directory: /opt/blog }\n',
      'services/shop/files/etc/old.conf': 'old\n',
      'services/gone/README.md': '# gone',
      'services/gone/units/gone.timer': '[Timer]\n',
    })
    const empty = { 'services/shop/files/etc/old.conf': null, 'services/gone/README.md': null }
    await whole.commit(
      { ...empty, 'services/gone/units/gone.timer': null, 'services/shop/conf/app.env': 'A=2\n' },
      { message: 'Take out what nobody uses\n\nSince May.', author: 'Grace' },
    )
    await whole.commit({ 'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [shop, blog] } }\n' })
  })

  afterAll(() => whole.remove())

  const cases: readonly [string, object][] = [
    ['/srv/compose/shop/compose.yaml', { source: 'services/shop/compose.yaml', why: { author: 'Ada' } }],
    ['/var/lib/plumb/compose/shop/conf/app.env', { source: 'services/shop/conf/app.env', why: { author: 'Grace' } }],
    ['/opt/blog/compose.yaml', { source: 'services/blog/compose.yaml', why: { author: 'Ada' } }],
    ['/etc/old.conf', { source: 'services/shop/files/etc/old.conf', removed: { author: 'Grace' } }],
    [
      'services/gone/README.md',
      { source: 'services/gone/README.md', removed: { subject: 'Take out what nobody uses' } },
    ],
    ['/etc/systemd/system/gone.timer', { source: 'services/gone/units/gone.timer', removed: { author: 'Grace' } }],
  ]

  test.each(cases)('%s, of a clone', async (path, expected) => {
    const places = ['--root', box.root, '--state', box.state]
    const { out } = await runPlumb(['why', path, '--json', '--repo', whole.directory, ...places])

    expect(JSON.parse(out)).toMatchObject([{ path, ...expected }])
  })

  test('of a server', { timeout: 600_000 }, async () => {
    const server = await startServerFor(whole.directory)
    onTestFinished(() => server.remove())
    const places = ['--root', box.root, '--state', box.state]
    for (const [path, expected] of cases) {
      const { out, err } = await runPlumb(['why', path, '--json', '--server', server.url, ...places])
      expect(JSON.parse(out), err).toMatchObject([{ path, ...expected }])
    }
  })

  test('of directories, a clone and a server say the same', { timeout: 600_000 }, async () => {
    const server = await startServerFor(whole.directory)
    onTestFinished(() => server.remove())
    const ask = async (path: string, ...from: readonly string[]) => {
      const ran = await runPlumb(['why', path, '--json', ...from, '--root', box.root, '--state', box.state])
      return ran.code === 0 ? JSON.parse(ran.out) : ran.code
    }
    const found = ['/srv/compose/shop', '/opt/blog/', '/var/lib/plumb/compose/shop', 'services/shop/conf', 'services']

    for (const path of [...found, '/etc/nothing']) {
      const ofClone = await ask(path, '--repo', whole.directory)
      expect(ofClone, path).toEqual(await ask(path, '--server', server.url))
      if (found.includes(path)) expect(ofClone.length, path).toBeGreaterThan(0)
      else expect(ofClone).toBe(1)
    }
  })

  test('a person reads who took it out, and why', async () => {
    const places = ['--root', box.root, '--state', box.state]
    const { code, out } = await runPlumb(['why', '/etc/old.conf:1', '--repo', whole.directory, ...places])

    expect(code).toBe(0)
    expect(out).toMatch(
      /^services\/shop\/files\/etc\/old\.conf: removed from the repository\n {2}[0-9a-f]{12} by Grace on .*\n\n {4}Take out what nobody uses\n\n {4}Since May\.\n$/,
    )
  })
})

describe('a line, and all of them', () => {
  let server: ServerForAgents
  let sources: readonly (readonly string[])[]
  const two = 'Two workers\n\nThe box has two cores.'
  let revisions: readonly string[]

  beforeAll(async () => {
    const lines = await makeRepository({
      'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [nginx] }\n',
      'services/nginx/README.md': '# nginx\n',
      [nginxConf]: 'worker_processes 1;\nevents {}\n',
      'services/nginx/files/etc/nginx/port:80': 'a name that ends like a line\n',
    })
    await lines.commit({ [nginxConf]: 'worker_processes 2;\nevents {}\n' }, { message: two, author: 'Grace' })
    await lines.commit(
      { [nginxConf]: 'worker_processes 2;\nevents {}\n# \u001b[2Jred' },
      { message: 'End', author: 'Al' },
    )
    revisions = (await lines.git('log', '--reverse', '--format=%h', '--abbrev=12')).split('\n')
    server = await startServerFor(lines.directory)
    sources = [
      ['--repo', lines.directory],
      ['--server', server.url],
    ]
    return async () => {
      await server.remove()
      await lines.remove()
    }
  })

  test.each(['a clone', 'a server'])('%s tells the commit behind a line, with its whole message', async (which) => {
    const { code, out, err } = await asked(which, '/etc/nginx/nginx.conf:1')
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(
      [
        `${nginxConf}:1`,
        '  | worker_processes 2;',
        `  ${revisions[1]} by Grace on 2026-11-01 12:00:00 UTC`,
        ...['', '    Two workers', '', '    The box has two cores.', ''],
      ].join('\n'),
    )
    const json = JSON.parse((await asked(which, `${nginxConf}:3`, '--json')).out)
    expect(json).toMatchObject([
      { line: { kind: 'line', number: 3, text: '# \u001b[2Jred', commit: { author: 'Al' } } },
    ])
  })

  test.each(['a clone', 'a server'])(
    '%s tells the commit behind each line, and no line takes over the terminal',
    async (which) => {
      const { code, out } = await asked(which, '/etc/nginx/nginx.conf', '--lines')
      expect(code).toBe(0)
      const [first = '', second = '', third = ''] = revisions.map((revision) => revision.slice(0, 8))
      expect(out).toBe(
        [
          nginxConf,
          `  ${second} Grace 2026-11-01 1 | worker_processes 2;`,
          `  ${first} Ada   2026-11-01 2 | events {}`,
          `  ${third} Al    2026-11-01 3 | # ␛[2Jred`,
          '',
        ].join('\n'),
      )
    },
  )

  test.each(['a clone', 'a server'])(
    '%s takes a managed name that ends in a colon and digits as a name',
    async (which) => {
      expect((await asked(which, '/etc/nginx/port:80')).out).toMatch(/port:80\n {2}[0-9a-f]{12} by Ada/)
      expect((await asked(which, '/etc/nginx/port:80:1')).out).toContain('| a name that ends like a line')
    },
  )

  test.each(['a clone', 'a server'])('%s says what cannot be answered', async (which) => {
    expect(await asked(which, '/etc/nginx/nginx.conf:4')).toMatchObject({
      code: 1,
      out: `${nginxConf} has 3 lines, and no line of that number\n`,
    })
    expect(await asked(which, '/etc/nginx/nginx.conf:0')).toMatchObject({
      code: 1,
      err: 'plumb: Lines are counted from 1. plumb why /etc/nginx/nginx.conf:1\n',
    })
    expect(await asked(which, '/etc/nginx/nginx.conf:1', '--lines')).toMatchObject({ code: 1 })
    expect(await asked(which, '/etc/passwd:1')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/manages \/etc\/passwd\. Give the path/),
    })
  })

  test('a directory has no lines', async () => {
    expect(await asked('a server', 'services/nginx:2')).toMatchObject({
      code: 1,
      err: expect.stringContaining('tells no line of services/nginx: it is a directory'),
    })
  })

  test('a clone answers from a directory below its top too, and says when its history is cut off', async () => {
    const [, directory = ''] = sources[0] ?? []
    const cwd = join(directory, 'services/nginx')
    expect((await runPlumb(['why', `${nginxConf}:2`, '--root', box.root], { cwd })).out).toContain(
      `${revisions[0]} by Ada`,
    )

    const shallow = join(box.directory, 'shallow')
    await promisify(execFile)('git', ['clone', '--quiet', '--depth=1', `file://${directory}`, shallow])
    const { out } = await runPlumb(['why', `${nginxConf}:2`, '--repo', shallow, '--root', box.root])
    expect(out).toContain('is a shallow clone')
  })

  function asked(which: string, ...args: readonly string[]) {
    const source = sources[which === 'a clone' ? 0 : 1] ?? []
    return runPlumb(['why', ...args, ...source, '--root', box.root, '--state', box.state])
  }
})

test('a unit is asked for by its name, as findings have it, an instance by that of its template too', async () => {
  await fleet.commit(
    { 'services/nginx/units/worker@.service': '[Service]\nExecStart=/bin/true\n' },
    { author: 'Grace', message: 'Workers' },
  )
  const ask = (name: string) => runPlumb(['why', name, '--repo', fleet.directory, '--root', box.root])
  for (const name of ['unit:worker@.service', 'unit:worker@1.service'])
    expect((await ask(name)).out).toMatch(/^services\/nginx\/units\/worker@\.service\n.* by Grace on /)
  expect((await ask('unit:ssh.service')).err).toMatch(
    /has a file for the unit ssh\.service\. What is said of a unit of a package/,
  )
})

test('what nothing manages, and what is no clone, is told with the way out', async () => {
  const stranger = await runPlumb(['why', '/etc/passwd', '--repo', fleet.directory, '--root', box.root])
  expect(stranger).toMatchObject({ code: 1, out: '' })
  expect(stranger.err).toBe(
    `plumb: Nothing in ${fleet.directory} manages /etc/passwd. Give the path as it is on the host (/etc/motd) or in the repository (services/base/files/etc/motd); --repo DIR names another clone.\n`,
  )
  const nowhere = await runPlumb(['why', '/etc/motd', '--repo', box.directory, '--root', box.root])
  expect(nowhere).toMatchObject({
    code: 1,
    err: expect.stringMatching(/cannot be read by git: .*\. Name a clone of the fleet repository: --repo DIR/),
  })
})

test('a server says the same: to anyone where anyone may read, else to its own hosts', async () => {
  const server = await startServerFor(fleet.directory)
  try {
    const asked = await runPlumb(['why', '/etc/nginx/nginx.conf', '--server', server.url, '--root', box.root])
    expect(asked).toMatchObject({ code: 0, out: reason, err: '' })
    const unmanaged = await runPlumb(['why', '/etc/passwd', '--server', server.url, '--root', box.root])
    expect(unmanaged).toMatchObject({ code: 1, err: expect.stringContaining('manages /etc/passwd. Give the path') })

    const token = await server.token('web-1')
    await server.restart({ tls: { kind: 'self-signed' }, viewers: 'signed-in' })
    await installHost(server, token)

    expect(await box.plumb('why', '/etc/nginx/nginx.conf')).toMatchObject({ code: 0, out: reason, err: '' })
    const elsewhere = await makeSandbox({})
    const certificate = join(server.data, 'tls/certificate.pem')
    const ask = (...more: readonly string[]) =>
      elsewhere.plumb('why', '/etc/nginx/nginx.conf', '--server', server.url, ...more)
    const byCertificate = await ask('--certificate', certificate)
    const notThere = await ask('--certificate', join(elsewhere.root, 'none.pem'))
    await elsewhere.remove()
    expect(byCertificate.err).toContain('This needs a token of this server')
    expect(notThere.err).toContain('the certificate cannot be read (ENOENT)')
  } finally {
    await server.remove()
  }

  const silent = await box.plumb('why', '/etc/nginx/nginx.conf')
  expect(silent).toMatchObject({
    code: 1,
    err: expect.stringMatching(/cannot be reached: .*ECONNREFUSED.*--repo with a clone/),
  })
})

/** With the server's certificate pinned, as the install line leaves a host. */
async function installHost(server: ServerForAgents, token: string): Promise<void> {
  await mkdir(box.state, { recursive: true })
  const certificate = join(server.data, 'tls/certificate.pem')
  const options = ['--server', server.url, '--certificate', certificate, '--repo', fleet.directory, '--host', 'web-1']
  const args = ['install', ...options, '--root', box.root, '--state', box.state]
  expect(await runPlumb(args, { env: { PLUMB_TOKEN: token } })).toMatchObject({ code: 0, err: '' })
}
