// `plumb adopt` where the repository is behind a real sshd and takes pushes by the operator's own key: on a host, in a clone on the operator's
// machine, and with a key whose passphrase ssh asks for on the terminal.
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { serviceReportSchema } from '../../../shared/report.ts'
import { enrollAgent, reportOf, startTestServer, type TestServer } from '../../server/kit.ts'
import { command, makeSandbox, type Ran, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { makeKey, type SshServer, sshUnavailable, startSshServer } from '../../support/ssh.ts'
import { controlC, onTerminal, terminalUnavailable } from '../../support/terminal.ts'

const unavailable = sshUnavailable()
if (unavailable !== null) console.log(`skipped: ${unavailable}`)
const noTerminal = terminalUnavailable()
if (noTerminal !== null) console.log(`skipped: ${noTerminal}`)

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\n',
  'services/web/README.md': '# web\n',
  'services/web/files/etc/main.conf': 'workers 1;\n',
}

let server: TestServer
let box: Sandbox
let home: string
let own: string
let sshServer: SshServer

beforeEach(async () => {
  server = await startTestServer({}, { files })
  box = await makeSandbox({ repo: server.fleet.directory })
  home = await mkdtemp(join(tmpdir(), 'plumb-operator-'))
  own = await mkdtemp(join(tmpdir(), 'plumb-own-'))
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  await box.write('/etc/main.conf', 'workers 4;\n')
})

afterEach(async () => {
  await sshServer?.close()
  await box.remove()
  await server.remove()
  await rm(home, { recursive: true, force: true })
  await rm(own, { recursive: true, force: true })
})

describe.skipIf(unavailable !== null)('over ssh', () => {
  test("on a host it is fetched and pushed by the operator's key, from a clone that is gone afterwards", async () => {
    await startSsh()
    const { code, out, err } = await adoptHere(['-m', 'Four'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^pushed [0-9a-f]{12} as adopt\/web-1-web-/m)
    await expectPushed('Four')
    expect(readdirSync(own)).toEqual([])
  })

  test("in the operator's clone it is pushed by the remote's own ssh settings", async () => {
    await startSsh()
    const clone = await cloneOverSsh()
    await server.fleet.commit({ 'services/web/README.md': '# the web\n' })
    await reported()
    const asked = ['--server', server.url, '--host', 'web-1', '-m', 'Four']
    const ran = await runPlumb(['adopt', 'web', ...asked], { env: names, cwd: clone })
    expect(ran).toMatchObject({ code: 0, err: '' })
    await expectPushed('Four')
    expect(await server.fleet.git('rev-parse', `${await onlyBranch()}~1`)).toBe(await server.fleet.head())

    const onHost = await adoptHere(['-m', 'Four again', '--clone', clone, '--to', 'again'], {})
    expect(onHost).toMatchObject({ code: 0, err: '' })
    expect(await server.fleet.git('log', '-1', '--format=%s', 'again')).toBe('Four again')
  })

  test.each([
    ['a key that the server does not know', 'IdentityFile', 'Permission denied'],
    ['an unknown host key', 'UserKnownHostsFile', 'Host key verification failed'],
  ])('with %s the commit is kept, in the words of ssh', async (_, option, words) => {
    await startSsh()
    const other = join(home, 'other')
    await makeKey(other, '')
    const { code, out } = await adoptHere(['-m', 'Four'], sshWith({ [option]: other }))
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^it could not be pushed from here: [\\s\\S]*${words}`, 'm'))
    expect(readdirSync(own)).toEqual([expect.stringMatching(/^adopt-web-1-web-.*\.patch$/)])

    const clone = await cloneOverSsh()
    await server.fleet.git(`--git-dir=${clone}/.git`, 'config', 'core.sshCommand', sshCommand({ [option]: other }))
    const kept = await adoptHere(['-m', 'Four', '--clone', clone, '--to', 'kept'], {})
    expect(kept.out).toMatch(new RegExp(`^git could not push it: [\\s\\S]*${words}`, 'm'))
    expect(kept.out).toContain(`Push it: git -C ${clone} push origin kept\n`)
    expect(await branches()).toEqual([])
  })

  test.skipIf(noTerminal !== null)(
    'ssh asks for the passphrase of the key on the terminal, behind the question why',
    async () => {
      await startSsh('of annas key')
      const args = ['adopt', '/etc/main.conf', ...places(sshServer.url(server.fleet.directory))]
      const { code, shown } = await onTerminal([command, ...args].join(' '), {
        answers: [
          { to: 'changed? ', keys: 'Four\r' },
          { to: 'Enter passphrase for key', keys: 'of annas key\r' },
          { to: 'Enter passphrase for key', keys: 'of annas key\r' },
        ],
        cwd: own,
        env: sshWith({}),
      })
      expect(shown).toMatch(/^pushed /m)
      expect(code).toBe(0)
      expect(shown).not.toContain('of annas key')
      await expectPushed('Four')
    },
  )

  test.skipIf(noTerminal !== null)('broken off while ssh asks, nothing is left behind', async () => {
    await startSsh('of annas key')
    const args = ['adopt', '/etc/main.conf', '-m', 'Four', ...places(sshServer.url(server.fleet.directory))]
    const { code, shown } = await onTerminal([command, ...args].join(' '), {
      answers: [{ to: 'Enter passphrase for key', keys: controlC }],
      cwd: own,
      env: sshWith({}),
    })
    expect(code).toBe(130)
    expect(shown).not.toContain('Error')
    expect(readdirSync(own)).toEqual([])
    expect(await branches()).toEqual([])
  })
})

async function startSsh(passphrase = ''): Promise<void> {
  sshServer = await startSshServer({ directory: home, passphrase })
}

const names = {
  GIT_AUTHOR_NAME: 'Anna',
  GIT_AUTHOR_EMAIL: 'anna@example.org',
  GIT_COMMITTER_NAME: 'Anna',
  GIT_COMMITTER_EMAIL: 'anna@example.org',
  GIT_CONFIG_GLOBAL: '/dev/null',
}

/** What an operator has in ~/.ssh, which on this machine is somebody's. */
function sshCommand(changed: Readonly<Record<string, string>>): string {
  const { key, knownHosts } = sshServer
  const all = {
    IdentityFile: key,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: knownHosts,
    ...changed,
  }
  return ['ssh', '-F', '/dev/null', ...Object.entries(all).map(([name, value]) => `-o${name}=${value}`)].join(' ')
}

function sshWith(changed: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...names, TMPDIR: own, GIT_SSH_COMMAND: sshCommand(changed) }
}

function places(repository: string): readonly string[] {
  return [
    '--repo',
    server.fleet.directory,
    '--host',
    'web-1',
    '--root',
    box.root,
    '--state',
    box.state,
    '--remote',
    repository,
  ]
}

function adoptHere(args: readonly string[], env: NodeJS.ProcessEnv = sshWith({})): Promise<Ran> {
  const where = args.includes('--clone') ? places('origin') : places(sshServer.url(server.fleet.directory))
  return runPlumb(['adopt', 'web', ...where, ...args], { env: { ...names, TMPDIR: own, ...env }, cwd: own })
}

async function cloneOverSsh(): Promise<string> {
  const clone = join(home, 'clone')
  const ssh = sshCommand({})
  await server.fleet.git(
    '-c',
    `core.sshCommand=${ssh}`,
    'clone',
    '--quiet',
    sshServer.url(server.fleet.directory),
    clone,
  )
  await server.fleet.git(`--git-dir=${clone}/.git`, 'config', 'core.sshCommand', ssh)
  return clone
}

async function expectPushed(subject: string): Promise<void> {
  const branch = await onlyBranch()
  expect(await server.fleet.git('log', '-1', '--format=%an: %s', branch)).toBe(`Anna: ${subject}`)
  expect(await server.fleet.git('show', `${branch}:services/web/files/etc/main.conf`)).toBe('workers 4;')
}

async function branches(): Promise<readonly string[]> {
  const all = await server.fleet.git('for-each-ref', '--format=%(refname:short)', 'refs/heads')
  return all.split('\n').filter((name) => name !== 'main' && name !== 'earlier')
}

async function onlyBranch(): Promise<string> {
  const [branch, ...others] = await branches()
  if (branch === undefined || others.length > 0) throw new Error('expected one branch')
  return branch
}

/** As the agent does it: what `check` finds goes to the server. */
async function reported(): Promise<void> {
  const { out } = await box.plumb('check', '--json')
  const { services } = z.object({ services: z.array(serviceReportSchema) }).parse(JSON.parse(out))
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1', { services, revision: await server.fleet.head() }))
  await line.close()
}
