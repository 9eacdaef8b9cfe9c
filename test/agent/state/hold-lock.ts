// Run by lock.test.ts: takes the lock of a directory, says so, and holds it until it is killed or told to let go.
import { acquireLock } from '../../../agent/state/lock.ts'

const [, , directory = '', waitSeconds = '0', holdMs = '600000'] = process.argv
try {
  const lock = await acquireLock(directory, {
    purpose: 'plumb apply',
    now: new Date(),
    waitSeconds: Number(waitSeconds),
  })
  console.log(`held ${process.hrtime.bigint()}`)
  setTimeout(() => {
    console.log(`released ${process.hrtime.bigint()}`)
    lock.release()
  }, Number(holdMs))
} catch (error) {
  console.log(error instanceof Error ? error.message : 'unknown')
}
