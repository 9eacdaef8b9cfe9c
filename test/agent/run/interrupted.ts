// A program that waits for a command of its own when the test ends it: node interrupted.ts DIRECTORY FIFO
import { mkdirSync } from 'node:fs'
import { interruptible } from '../../../agent/host/interruptible.ts'
import { createRun } from '../../../shared/platform/run.ts'

const [directory = '', fifo = ''] = process.argv.slice(2)
await interruptible(createRun(), async ({ run, atSignal }) => {
  mkdirSync(directory)
  atSignal({ args: ['rm', '-rf', '--', directory] })
  const waiting = `touch "$1/made"; echo $$ > "$2"; exec sleep 600`
  await run({ args: ['sh', '-c', waiting, 'sh', directory, fifo] })
  process.stdout.write('went on')
})
