import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runCheck } from '../../../agent/host/checks.ts'
import { runTrigger } from '../../../agent/host/triggers.ts'
import { validateTree } from '../../../agent/host/validate-tree.ts'
import { endText, outputText, type Run, whyText } from '../../../shared/command.ts'
import { createRun, createRunBytes } from '../../../shared/platform/run.ts'

const run = createRun({ graceSeconds: 0.3 })
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-run-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('output and exit code come back, and stdin arrives', async () => {
  const result = await run({ args: ['sh', '-c', 'cat; echo oops >&2; exit 3'], stdin: 'hello' })
  expect(result).toEqual({ code: 3, stdout: 'hello', stderr: 'oops\n' })
})

test('an agent that is busy for longer than a pipe is waited for loses no output', async () => {
  let isBusy = true
  const block = () => {
    for (const end = performance.now() + 150; performance.now() < end; );
    if (isBusy) setImmediate(block)
  }
  block()
  // Ends that come together with the end of another child are heard before what was said.
  const commands = Array.from({ length: 40 }, (_, index) => `sleep 0.${100 + index * 7}; echo said`)
  const results = await Promise.all(commands.map((command) => run({ args: ['sh', '-c', command] })))
  isBusy = false
  expect(results.filter(({ stdout }) => stdout !== 'said\n')).toEqual([])
})

test('a command that is no longer wanted is ended with all it started', async () => {
  const stop = new AbortController()
  const pidFile = join(directory, 'pid')
  const running = run({ args: ['sh', '-c', `sleep 100 & echo $! > ${pidFile}; wait`], stop: stop.signal })
  await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8')).toMatch(/^\d+\n$/), { timeout: 120_000 })

  stop.abort()

  expect((await running).code).toBe('deadline')
  expect(existsSync(`/proc/${readFileSync(pidFile, 'utf8').trim()}/cwd`)).toBe(false)
})

test('a command that was no longer wanted before it began ends at once', async () => {
  expect((await run({ args: ['sleep', '100'], stop: AbortSignal.abort() })).code).toBe('deadline')
})

test('arguments are never read by a shell', async () => {
  const result = await run({ args: ['echo', '$(id); `id` > /dev/null'] })
  expect(result.stdout).toBe('$(id); `id` > /dev/null\n')
})

test('a child sees the minimal environment, what is given explicitly, and no PATH but the fixed one', async () => {
  process.env['PLUMB_LEAK'] = 'secret'
  const result = await run({ args: ['env'], environment: { WANTED: 'yes', PATH: directory } })
  delete process.env['PLUMB_LEAK']
  expect(result.stdout.trim().split('\n').toSorted()).toEqual([
    'HOME=/root',
    'LANG=C.UTF-8',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'WANTED=yes',
  ])
})

test('a program that is not installed gives 127 and says so', async () => {
  const command = { args: ['plumb-no-such-program'] }
  const result = await run(command)
  expect(result.code).toBe(127)
  expect(endText(command, result)).toBe('plumb-no-such-program is not installed')
})

test('a file that cannot be executed and an argument with a NUL give 126, not an exception', async () => {
  writeFileSync(join(directory, 'plain'), 'x', { mode: 0o644 })
  expect((await run({ args: [join(directory, 'plain')] })).code).toBe(126)
  expect((await run({ args: ['echo', 'a\0b'] })).code).toBe(126)
})

test('a child killed by a signal says which', async () => {
  expect((await run({ args: ['sh', '-c', 'kill -9 $$'] })).code).toEqual({ signal: 'SIGKILL' })
})

test('after the deadline the whole group is killed, grandchildren that ignore SIGTERM included', async () => {
  const pidFile = join(directory, 'pid')
  const script = `trap '' TERM; sh -c 'trap "" TERM; echo $$ > ${pidFile}; while :; do sleep 1; done' & wait; wait`
  const result = await run({ args: ['sh', '-c', script], deadlineSeconds: 0.5 })
  expect(result.code).toBe('deadline')
  expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false)
})

test('a grandchild that ignores SIGTERM is killed also when its parent obeys', async () => {
  const pidFile = join(directory, 'pid')
  const script = `sh -c 'trap "" TERM; echo $$ > ${pidFile}; while :; do sleep 1; done' & exec sleep 100`
  const result = await run({ args: ['sh', '-c', script], deadlineSeconds: 0.5 })
  expect(result.code).toBe('deadline')
  expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false)
})

test('what was printed before the deadline is kept', async () => {
  const result = await run({ args: ['sh', '-c', 'echo waiting for db; exec sleep 100'], deadlineSeconds: 0.5 })
  expect(result).toEqual({ code: 'deadline', stdout: 'waiting for db\n', stderr: '' })
})

test('endless output is bounded to its end, at a whole character', async () => {
  const result = await run({ args: ['sh', '-c', 'seq 1 300000; printf ééééé'], outputLimitBytes: 9 })
  expect(result).toEqual({ code: 0, stdout: 'éééé', stderr: '', cut: true })
})

test('output within the limit is whole and not called cut', async () => {
  const result = await run({ args: ['head', '-c', '3000000', '/dev/zero'], outputLimitBytes: 3_000_000 })
  expect(result.stdout.length).toBe(3_000_000)
  expect(result.cut).toBeUndefined()
})

test('a command is over when it exits, though a process it left behind holds its pipes', async () => {
  const fifo = join(directory, 'fifo')
  await run({ args: ['mkfifo', fifo] })
  const script = `sh -c 'read line < ${fifo}; echo "$line" > ${join(directory, 'left')}' & echo started`
  const result = await run({ args: ['sh', '-c', script], deadlineSeconds: 30 })
  expect(result).toEqual({ code: 0, stdout: 'started\n', stderr: '' })
  expect(existsSync(join(directory, 'left'))).toBe(false)
  const woken = await run({ args: ['sh', '-c', `echo go > ${fifo}; while ! [ -s ${directory}/left ]; do :; done`] })
  expect(woken.code).toBe(0)
})

test('a process left behind that floods the pipe does not keep the command open', async () => {
  const pidFile = join(directory, 'pid')
  const result = await run({ args: ['sh', '-c', `yes & echo $! > ${pidFile}`], deadlineSeconds: 30 })
  expect(result.code).toBe(0)
  expect(result.cut).toBe(true)
})

test('a child that never reads a large stdin ends normally', async () => {
  expect(await run({ args: ['true'], stdin: 'x'.repeat(10_000_000) })).toEqual({ code: 0, stdout: '', stderr: '' })
})

test('fifty at once all end and leave no zombie', async () => {
  const results = await Promise.all(Array.from({ length: 50 }, (_, n) => run({ args: ['echo', String(n)] })))
  expect(results.map((result) => result.stdout.trim())).toEqual(Array.from({ length: 50 }, (_, n) => String(n)))
  const zombies = await run({ args: ['ps', '--ppid', String(process.pid), '-o', 'stat='] })
  expect(zombies.stdout).not.toContain('Z')
})

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z')
  } catch {
    return false
  }
}

test('a command that is ended at its deadline is told as that, with what it had said', async () => {
  const command = { args: ['sh', '-c', 'echo waiting for the lock; sleep 60'], deadlineSeconds: 0.3 }
  const result = await run(command)
  expect(whyText(command, result, result.stdout.trim())).toBe('sh did not end within 0.3 s: waiting for the lock')
  expect(whyText(command, { ...result, code: 1 }, 'no such file')).toBe('no such file')
  expect(whyText(command, { ...result, code: 1 }, '')).toBe('sh exited with 1')
})

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`).join('\n')

test.each<[string, Parameters<typeof outputText>[0], string]>([
  ['nothing', { stdout: '\n', stderr: '' }, ''],
  ['both streams', { stdout: 'one\n', stderr: 'two\n' }, 'one\ntwo'],
  ['as many lines as are kept', { stdout: numbered(16), stderr: '' }, numbered(16)],
  ['one more, whose place the note would take', { stdout: numbered(17), stderr: '' }, numbered(17)],
  [
    'many lines',
    { stdout: numbered(100), stderr: 'the end' },
    `${numbered(4)}\n... 85 lines left out\n${Array.from({ length: 11 }, (_, index) => `line ${index + 90}`).join('\n')}\nthe end`,
  ],
  ['a long line', { stdout: '', stderr: 'x'.repeat(250) }, `${'x'.repeat(200)} ... 50 characters left out`],
  [
    'more than was kept of it',
    { stdout: numbered(20), stderr: '', cut: true },
    `... what came before is left out\n${Array.from({ length: 12 }, (_, index) => `line ${index + 9}`).join('\n')}`,
  ],
])('the output of a failed command, of %s', (_, result, text) => {
  expect(outputText(result)).toBe(text)
})

test.each<[string, (run: Run) => Promise<unknown>]>([
  ['a validation', (run) => validateTree('check', run)],
  ['a check', (run) => runCheck({ kind: 'run', command: 'check' }, run, { withinSeconds: 0 })],
  ['a trigger', (run) => runTrigger({ kind: 'run', command: 'check' }, run)],
])('%s that fails says what is left out of its output, and how it began', async (_, work) => {
  const run: Run = () => Promise.resolve({ code: 1, stdout: numbered(100), stderr: '' })
  const message = await work(run).then(String, String)
  expect(message).toContain('\nline 1\n')
  expect(message).toContain('... 84 lines left out')
  expect(message).toContain('line 100')
})

test('bytes come back whole, or the command that says too much is killed with all it started', async () => {
  const runBytes = createRunBytes({ overflow: 'kill', graceSeconds: 0 })
  const whole = await runBytes({ args: ['printf', '\\377\\000\\376'], outputLimitBytes: 3 })
  expect(whole).toMatchObject({ code: 0, stdout: Buffer.from([0xff, 0, 0xfe]), cut: false })

  const pidFile = join(directory, 'pid')
  const flood = await runBytes({ args: ['sh', '-c', `yes & echo $! > ${pidFile}; wait`], outputLimitBytes: 1000 })

  expect(flood.code).toBe('too-much')
  expect(existsSync(`/proc/${readFileSync(pidFile, 'utf8').trim()}/cwd`)).toBe(false)
})
