// A program that waits for one that may ask on the terminal, and that no signal ends: node interrupted-attended.ts DIRECTORY FIFO
import { mkdirSync } from 'node:fs'
import { interruptible } from '../../../agent/host/interruptible.ts'
import { runAttended } from '../../../agent/host/operator.ts'
import { createRun } from '../../../shared/platform/run.ts'

const [directory = '', fifo = ''] = process.argv.slice(2)
const run = createRun()
const path = process.env['PATH'] ?? ''
await interruptible(run, async ({ atSignal }) => {
  mkdirSync(directory)
  atSignal({ args: ['rm', '-rf', '--', directory] })
  const stubborn = `trap '' INT TERM HUP; echo $$ > "$1"; while sleep 0.1; do :; done`
  await runAttended({ user: undefined, environment: { PATH: path }, run }, ['sh', '-c', stubborn, 'sh', fifo])
})
