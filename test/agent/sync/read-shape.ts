// Lists the files of a remote's head in a process of its own: what came of it, and how much more memory it took than it had before, as JSON.
import { readFileSync } from 'node:fs'
import { openRepository } from '../../../agent/sync/repository.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { problemsOf } from '../../../shared/problem.ts'

const [url = '', stateDirectory = ''] = process.argv.slice(2)
const before = peakMiB()
const repository = openRepository({ stateDirectory, remote: { url }, run: createRun() })
const outcome = await repository
  .sync({ allowRewind: false })
  .then((reader) => reader.entries())
  .then((entries) => ({ files: entries.length }))
  .catch((error: unknown) => ({ problems: problemsOf(error).map(({ code, message }) => ({ code, message })) }))
process.stdout.write(JSON.stringify({ ...outcome, takenMiB: peakMiB() - before }))
process.exit(0)

function peakMiB(): number {
  return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
}
