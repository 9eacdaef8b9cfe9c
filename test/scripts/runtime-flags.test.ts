// The runtime of the agent ends when it is told to: under Node's own flags the program below hangs in some of its exits.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { runtimeFlags } from '../../scripts/build-executable.ts'

const run = promisify(execFile)

/** Exits while functions that have just become hot are being compiled, and the heap is full enough for a collection. */
const program = `
const functions = Array.from({ length: 3000 }, (_, index) =>
  new Function('a', 'b', 'let sum = ' + index + '; for (let i = 0; i < 3; i++) { sum += a * i + b; if (sum > ' + index + ') sum -= 1 } return sum'))
const kept = []
for (let round = 0; round < Number(process.argv[1]); round += 1)
  for (const one of functions) { one(round, 2); kept.push({ round, list: [round] }) }
process.exit(0)
`

test('a process that exits while V8 compiles and collects does not hang', { timeout: 300_000 }, async () => {
  const started = Array.from({ length: 40 }, async (_, index) => {
    const rounds = String(3 + (index % 5))
    await run(process.execPath, [...runtimeFlags, '--eval', program, rounds], {
      timeout: 240_000,
      killSignal: 'SIGKILL',
    })
  })

  expect((await Promise.allSettled(started)).filter(({ status }) => status === 'rejected')).toEqual([])
})
