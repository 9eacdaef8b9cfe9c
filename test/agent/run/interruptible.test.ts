// A verb that is ended by a signal ends its commands and removes what it made for a time.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { interruptible } from '../../../agent/host/interruptible.ts'
import { createRun } from '../../../shared/platform/run.ts'

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s ends its command, removes its directory, and then it',
  async (signal) => {
    const base = mkdtempSync(join(tmpdir(), 'plumb-interrupted-'))
    onTestFinished(() => rmSync(base, { recursive: true }))
    const [directory, fifo] = [join(base, 'made'), join(base, 'fifo')]
    execFileSync('mkfifo', [fifo])
    const child = spawn(process.execPath, [join(import.meta.dirname, 'interrupted.ts'), directory, fifo], {
      stdio: 'pipe',
    })
    const printed: string[] = []
    child.stdout.on('data', (part: Buffer) => printed.push(part.toString()))
    const exited = once(child, 'exit')
    const pid = Number(await readFile(fifo, 'utf8'))
    expect(existsSync(join(directory, 'made'))).toBe(true)
    child.kill(signal)
    expect(await exited).toEqual([null, signal])
    expect(existsSync(directory)).toBe(false)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect(printed).toEqual([])
  },
)

test('a program on the terminal that does not end keeps nothing: plumb ends by the signal', async () => {
  const base = mkdtempSync(join(tmpdir(), 'plumb-interrupted-'))
  onTestFinished(() => rmSync(base, { recursive: true }))
  const [directory, fifo] = [join(base, 'made'), join(base, 'fifo')]
  execFileSync('mkfifo', [fifo])
  const program = join(import.meta.dirname, 'interrupted-attended.ts')
  const child = spawn(process.execPath, [program, directory, fifo], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const pid = Number(await readFile(fifo, 'utf8'))
  onTestFinished(() => void process.kill(pid, 'SIGKILL'))
  child.kill('SIGINT')
  expect(await exited).toEqual([null, 'SIGINT'])
  expect(existsSync(directory)).toBe(false)
})

test('without a signal it is as if it were not there, also when the work fails', async () => {
  const before = process.listenerCount('SIGTERM')
  const result = await interruptible(createRun(), ({ run }) => run({ args: ['echo', 'x'] }))
  expect(result).toMatchObject({ code: 0, stdout: 'x\n' })
  await expect(interruptible(createRun(), () => Promise.reject(new Error('on the way')))).rejects.toThrow('on the way')
  expect(process.listenerCount('SIGTERM')).toBe(before)
})
