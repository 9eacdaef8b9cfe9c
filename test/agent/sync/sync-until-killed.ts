// Started by killed.test.ts: syncs and accepts, says what it accepted, again and again until it is killed.

import { openRepository } from '../../../agent/sync/repository.ts'
import { createRun } from '../../../shared/platform/run.ts'

const [stateDirectory = '', url = ''] = process.argv.slice(2)
const repository = openRepository({ stateDirectory, remote: { url }, run: createRun(), packsAtMost: 4 })

process.stdout.write('ready\n')
for (;;) {
  const reader = await repository.sync({ allowRewind: false })
  await reader.entries()
  await repository.accept(reader.revision)
  process.stdout.write(`${reader.revision}\n`)
}
