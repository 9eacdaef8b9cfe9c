// `plumb debug bundle`, unpacked by tar itself: what is in it, what never is, and what it says where it cannot read or write.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { debugBundle } from '../../../agent/commands/debug-bundle.ts'
import { debugBundleOf } from '../../../agent/debug/bundle.ts'
import type { Run } from '../../../shared/command.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { command, makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'

const asRoot = process.getuid?.() === 0
const secret = 'hunter2 "of" the database'
const password = 'pw-of-the-remote'
const keyBody = 'MC4CAQAwBQYDK2VwBCIEIKq3kYyQ0V5r1cZk3Zt2'
const pem = `-----BEGIN PRIVATE KEY-----\n${keyBody}\n-----END PRIVATE KEY-----\n`

let fleet: TestRepository
let box: Sandbox

beforeAll(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\n',
    'services/web/README.md': '# web\n',
    'services/web/service.yaml': 'files:\n  /etc/web/db.conf: { template: true }\n',
    'services/web/files/etc/web/db.conf': `password=${'$'}{{ secrets.db }}\n`,
  })
  box = await makeSandbox({ repo: fleet.directory })
  placeSecret('db', `${secret}\n`)
  await box.write('/etc/plumb/agent.yaml', `host: web-1\nrepository: https://bot:${password}@git.example.org/fleet\n`)
  const applied = await box.plumb('apply')
  expect(applied, applied.err).toMatchObject({ code: 0 })
  expect(await box.read('/etc/web/db.conf')).toContain(secret)
})

beforeEach(() => {
  rmSync(join(box.directory, 'bundle.tar.gz'), { force: true })
})

afterAll(async () => {
  await box.remove()
  await fleet.remove()
})

test('the command writes one archive for its owner alone, with its contents listed inside and out', async () => {
  const options = ['--root', box.root, '--state', box.state, '--output', join(box.directory, 'bundle.tar.gz'), '--json']
  const { code, out, err } = await runPlumb(['debug', 'bundle', ...options])
  expect(code, err).toBe(0)
  const { file, parts, leftOut } = JSON.parse(out)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const names = parts.map(({ name }: { readonly name: string }) => name)
  expect(names).toEqual(expect.arrayContaining(['versions.json', 'host.json', 'settings.json', 'state/status.json']))
  expect(names).toContain('state/baseline/web.json')
  expect(leftOut).toContainEqual({ kind: 'left-out', name: 'state/objects', reason: 'secret' })
  const unpacked = unpack(file)
  expect(Object.keys(unpacked).toSorted()).toEqual(['CONTENTS.txt', ...names].toSorted())
  for (const name of names) expect(unpacked['CONTENTS.txt']).toContain(name)
  expect(unpacked['CONTENTS.txt']).toContain('state/objects: may hold secrets')
  expect(err).toContain('reading the state of the agent')
})

test('no secret, password or PEM block is in it, wherever in the state it stands', async () => {
  const traces = [secret, password, JSON.stringify(secret), Buffer.from(secret).toString('base64'), pem, `x ${pem}`]
  stateFile('identity.pem', pem)
  stateFile('journal', `${JSON.stringify({ kind: 'step', traces })}\n${traces.join('\n')}\n`)
  stateFile('evidence.json', JSON.stringify({ url: `https://bot:${password}@git.example.org/`, pem }))
  stateFile('baseline/cut.json', `${keyBody}\n-----END PRIVATE KEY-----\nkept`)
  stateFile('unknown', secret)
  const unpacked = await bundle()
  const text = Object.values(unpacked).join('\n')
  for (const one of ['hunter2', password, keyBody, Buffer.from(secret).toString('base64'), 'BEGIN']) {
    expect(text).not.toContain(one)
  }
  expect(unpacked['state/journal']).toContain('[secret]')
  expect(unpacked['state/baseline/cut.json']).toContain('kept')
  expect(unpacked['settings.json']).toContain('git.example.org')
  expect(unpacked).not.toHaveProperty(['state/unknown'])
})

test('the files that are kept until a restarted agent has come up are left out: their contents are in base64', async () => {
  const content = Buffer.from('[Service]\nEnvironment=TOKEN=not-in-any-secret\n').toString('base64')
  for (const name of ['agent-restart.json', 'agent-restart.json.corrupt-1'])
    stateFile(name, JSON.stringify({ files: [{ type: 'file', path: '/etc/x.conf', mode: 0o600, content }] }))
  const unpacked = await bundle()
  expect(Object.values(unpacked).join('\n')).not.toContain(content)
  expect(unpacked['CONTENTS.txt']).toContain('state/agent-restart.json: may hold secrets')
  expect(unpacked['CONTENTS.txt']).toContain('state/agent-restart.json.corrupt-1: may hold secrets')
})

test('settings that cannot be understood are not quoted, neither in the archive nor on screen', async () => {
  const settings = await box.read('/etc/plumb/agent.yaml')
  const faulty = 'host: web-1\nrepository: x\ncredentials:\n  username: bot\n  password: "unclosed-pw\n'
  await box.write('/etc/plumb/agent.yaml', faulty)
  try {
    const file = join(box.directory, 'bundle.tar.gz')
    const { code, printed } = await write(file)
    expect(code).toBe(1)
    const texts = [...printed, ...Object.values(unpack(file))].join('\n')
    expect(texts).toContain('settings.json: cannot be read (')
    expect(texts).not.toContain('unclosed-pw')
  } finally {
    await box.write('/etc/plumb/agent.yaml', settings)
  }
})

test('what is left out is named without secrets, in the archive and on screen', async () => {
  stateFile(`copy-${password}`, '')
  try {
    const file = join(box.directory, 'bundle.tar.gz')
    const { printed } = await write(file)
    const texts = [...printed, unpack(file)['CONTENTS.txt']].join('\n')
    expect(texts).toContain('state/copy-[secret]: not part of a bundle')
    expect(texts).not.toContain(password)
  } finally {
    rmSync(join(box.state, `copy-${password}`))
  }
})

test('a secret that is too short to be masked keeps out what it stands in', async () => {
  placeSecret('pin', '4711'.slice(0, 3))
  try {
    stateFile('journal', 'the pin is 471')
    const unpacked = await bundle(1)
    expect(unpacked).not.toHaveProperty(['state/journal'])
    expect(unpacked['CONTENTS.txt']).toContain('state/journal: secrets in it cannot be masked')
  } finally {
    rmSync(join(box.root, 'etc/plumb/secrets/pin'))
  }
})

test('damaged state is in it as it is, and stays so', async () => {
  stateFile('holds.json', '{ not json')
  rmSync(join(box.state, 'repairs.json'), { force: true })
  mkdirSync(join(box.state, 'repairs.json'))
  rmSync(join(box.state, 'applies.json'), { force: true })
  symlinkSync('/etc/shadow', join(box.state, 'applies.json'))
  const before = readdirSync(box.state).toSorted()
  const unpacked = await bundle(1)
  expect(unpacked['state/holds.json']).toBe('{ not json')
  expect(unpacked['CONTENTS.txt']).toContain('state/repairs.json: cannot be read (it is not a plain file)')
  expect(unpacked['CONTENTS.txt']).toContain('state/applies.json: cannot be read (it is a symlink)')
  expect(readdirSync(box.state).toSorted()).toEqual(before)
  rmSync(join(box.state, 'repairs.json'), { recursive: true })
  rmSync(join(box.state, 'applies.json'))
})

const limit = 2 * 1024 * 1024

test('of a long file the whole lines at its end are kept, without the rest of a secret that was cut', async () => {
  const kept = `${'line\n'.repeat(400_000)}the very end`
  stateFile('journal', `${'begin\n'.repeat(5)}${password}\n${kept}`)
  const whole = await bundle()
  expect(whole['state/journal']).toContain('begin')
  rmSync(join(box.directory, 'bundle.tar.gz'))
  const rest = password.slice(-6)
  const fill = 'x'.repeat(limit - Buffer.byteLength(`${rest}\n\n${kept}`))
  stateFile('journal', `begin ${password}\n${fill}\n${kept}`)
  const unpacked = await bundle()
  expect(unpacked['state/journal']).toBe(`${fill}\n${kept}`)
  expect(unpacked['CONTENTS.txt']).toContain(
    `state/journal  ${Buffer.byteLength(`${fill}\n${kept}`)} bytes, only the end`,
  )
})

test('a long file that is one line is left out', async () => {
  stateFile('journal', `begin ${password}${'x'.repeat(limit - 6)}`)
  try {
    const unpacked = await bundle()
    expect(unpacked).not.toHaveProperty(['state/journal'])
    expect(unpacked['CONTENTS.txt']).toContain('state/journal: only the end fits')
  } finally {
    stateFile('journal', '')
  }
})

test('the log of the unit is in it, masked; where it cannot be read, that is said', async () => {
  const line = `agent started ${secret} https://bot:x@git.example.org/`
  const said = { code: 0, stdout: `${secret.slice(4)} was cut\n${line}`, stderr: '', cut: true } as const
  const missing = { code: 127, stdout: '', stderr: '' } as const
  const run: Run = async ({ args }) => (args[0] === 'journalctl' ? said : missing)
  const options = { run, now: new Date(), hasUnit: true, progress: () => undefined }
  const made = await debugBundleOf({ ...places(), output: box.directory }, options)
  writeFileSync(join(box.directory, 'bundle.tar.gz'), made.archive)
  const unpacked = unpack(join(box.directory, 'bundle.tar.gz'))
  expect(unpacked['agent.log']).toBe('agent started [secret] https://git.example.org/')
  expect(made.parts).toContainEqual({ name: 'agent.log', isCut: true })
  const detail = 'systemctl is not installed'
  expect(made.leftOut).toContainEqual({ kind: 'left-out', name: 'agent-unit.txt', reason: 'unreadable', detail })
})

test.runIf(asRoot)(
  'without --output it is named after the host as it was installed, else after the machine, whatever its name is',
  () => {
    const nameOn = (machine: string) => {
      const directory = join(box.directory, `on-${machine}`)
      mkdirSync(directory)
      const named = [
        '--uts',
        'sh',
        '-c',
        'printf %s "$1" > /proc/sys/kernel/hostname && shift && exec "$@"',
        'sh',
        machine,
      ]
      const args = [command, 'debug', 'bundle', '--root', box.root, '--state', box.state]
      execFileSync('unshare', [...named, ...args], { cwd: directory, stdio: 'pipe' })
      return readdirSync(directory).join()
    }
    expect(nameOn('other')).toMatch(/^plumb-debug-web-1-\d{8}T\d{6}Z\.tar\.gz$/)
    rmSync(join(box.root, 'etc/plumb/agent.yaml'))
    expect(nameOn('web-7')).toMatch(/^plumb-debug-web-7-\d{8}T\d{6}Z\.tar\.gz$/)
    expect(nameOn('web_1')).toMatch(/^plumb-debug-host-\d{8}T\d{6}Z\.tar\.gz$/)
  },
)

test('a file that is there is not replaced', async () => {
  const file = join(box.directory, 'bundle.tar.gz')
  writeFileSync(file, 'precious')
  await expect(write(file)).rejects.toThrow('the file is there already')
  expect(readFileSync(file, 'utf8')).toBe('precious')
})

test.runIf(asRoot)('on a full disk it says so, and leaves no part of a file', async () => {
  const small = join(box.directory, 'small')
  mkdirSync(small)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', small])
  try {
    try {
      writeFileSync(join(small, 'filler'), Buffer.alloc(1024 * 1024))
    } catch {}
    await expect(write(join(small, 'bundle.tar.gz'))).rejects.toMatchObject({ code: 'disk-full' })
    expect(readdirSync(small)).toEqual(['filler'])
    const { printed } = await write(join(box.directory, 'bundle.tar.gz'), small)
    expect(printed.join('\n')).toContain('the disk is nearly full: 0 of 0 MB are free')
  } finally {
    execFileSync('umount', [small])
  }
})

test.runIf(asRoot)('without root it has the figures of the machine, and says what it could not read', () => {
  const home = join(box.directory, 'of-nobody')
  mkdirSync(home)
  chmodSync(box.directory, 0o755)
  chmodSync(home, 0o777)
  const script = `
    process.setgid(65534); process.setuid(65534)
    const { debugBundle } = await import('./agent/commands/debug-bundle.ts')
    const print = ({ text }) => console.log(text.join('\\n'))
    const output = { print, progress: () => undefined }
    process.exitCode = await debugBundle(${JSON.stringify({ ...places(), output: join(home, 'b.tar.gz') })}, output)`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const ran = runNode(args)
  expect(ran.status, ran.out).toBe(1)
  expect(ran.out).toContain('not run as root')
  expect(ran.out).toContain('state: cannot be read (EACCES)')
  expect(Object.keys(unpack(join(home, 'b.tar.gz'))).toSorted()).toEqual(['CONTENTS.txt', 'host.json', 'versions.json'])
})

function placeSecret(name: string, text: string): void {
  const directory = join(box.root, 'etc/plumb/secrets')
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o700)
  writeFileSync(join(directory, name), text, { mode: 0o600 })
}

function stateFile(name: string, text: string): void {
  writeFileSync(join(box.state, name), text, { mode: 0o600 })
}

const places = () => ({ root: box.root, state: box.state })

async function write(file: string, state = box.state) {
  const printed: string[] = []
  const output = {
    print: ({ text }: { readonly text: readonly string[] }) => void printed.push(...text),
    progress: () => undefined,
  }
  return { code: await debugBundle({ ...places(), state, output: file }, output), printed }
}

async function bundle(expectedCode = 0): Promise<Readonly<Record<string, string>>> {
  const file = join(box.directory, 'bundle.tar.gz')
  const { code, printed } = await write(file)
  expect(code, printed.join('\n')).toBe(expectedCode)
  return unpack(file)
}

function unpack(file: string): Readonly<Record<string, string>> {
  const names = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n')
  const content = (name: string) =>
    execFileSync('tar', ['-xzOf', file, name], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return Object.fromEntries(names.map((name) => [name.replace(/^plumb-debug\//, ''), content(name)]))
}

function runNode(args: readonly string[]): { readonly status: number; readonly out: string } {
  try {
    return { status: 0, out: execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }) }
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string }
    return { status, out: `${stdout}${stderr}` }
  }
}
