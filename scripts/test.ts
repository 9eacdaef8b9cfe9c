// `npm test`: every test that can run on this machine; says in one line what was left out and why.
// `npm test -- test/agent` passes its arguments to vitest, and runs nothing beside it.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

const leftOut: string[] = []
const mayBoot = process.getuid?.() === 0 && existsSync('/etc/debian_version')
if (process.getuid?.() !== 0) leftOut.push('booted hosts, owners and mounts (not root)')
else if (!mayBoot) leftOut.push('booted hosts (not Debian)')
if (!existsSync('/usr/sbin/sshd') && !existsSync('build/sshd')) leftOut.push('ssh remotes (no sshd)')
if (!existsSync('/usr/bin/chromium')) leftOut.push('the browser (no /usr/bin/chromium)')
if (!existsSync('/dev/fuse')) console.log('test: left out: file systems without modes (the kernel has no /dev/fuse)')
else if (!existsSync('/usr/bin/bindfs')) leftOut.push('file systems without modes (no bindfs)')

if (process.env['PLUMB_LEAVE_NOTHING_OUT'] === '1' && leftOut.length > 0) {
  console.error(`test: nothing may be left out here, but this machine cannot run: ${leftOut.join('; ')}`)
  process.exit(1)
}
console.log(leftOut.length === 0 ? 'test: nothing is left out' : `test: left out: ${leftOut.join('; ')}`)

const running = new Set<ChildProcess>()
let isInterrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    isInterrupted = true
    for (const child of running) child.kill(signal)
    process.exitCode = 130
  })

const given = process.argv.slice(2)
const codes = given.length > 0 ? [await vitest(given)] : await everything()
process.exitCode ??= codes.find((code) => code !== 0) ?? 0

/**
 * Tests on booted hosts mostly wait, and the others keep the processors busy: they run side by side. What measures or drives a
 * browser runs alone, at the end.
 */
async function everything(): Promise<readonly number[]> {
  const beside = await Promise.all([
    mayBoot ? onHosts() : vitest(['--project', 'lab']),
    vitest(['--project', 'faults'], 'faults'),
    vitest(['--project', 'unit']),
  ])
  return isInterrupted ? beside : [...beside, await vitest(['--project', 'browser'])]
}

/** Base images are made first, while the other tests run. */
async function onHosts(): Promise<number> {
  const made = await ended(start('node', ['scripts/lab/main.ts', 'images'], 'lab'))
  return made === 0 && !isInterrupted ? await vitest(['--project', 'lab'], 'lab') : made
}

function vitest(args: readonly string[], name?: string): Promise<number> {
  return ended(start('node_modules/.bin/vitest', ['run', ...args], name))
}

/** With a name, each printed line begins with it, so that the output of programs that run side by side can be separated. */
function start(program: string, args: readonly string[], name?: string): ChildProcess {
  const output = name === undefined ? 'inherit' : 'pipe'
  const child = spawn(program, args, { stdio: ['inherit', output, output] })
  running.add(child)
  child.once('close', () => running.delete(child))
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null) createInterface({ input: stream }).on('line', (line) => console.log(`${name} | ${line}`))
  return child
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}
