// A process of its own, for its peak of memory: makes two files that differ in one line near their ends, and looks for it.
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openHost } from '../../../agent/host/host.ts'
import { contentsFor } from '../../../agent/observe/contents.ts'
import { objectStore } from '../../../agent/state/objects.ts'
import { absolutePathSchema, resourceId } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'

const [directory = '', mebibytes = '1'] = process.argv.slice(2)
const root = join(directory, 'large/root')
const kept = join(directory, 'large/objects')
mkdirSync(root, { recursive: true })
const block = Buffer.from('a line of a large file, which is long\n'.repeat(Math.ceil((1024 * 1024) / 38)))

function written(path: string, last: string): string {
  const digest = createHash('sha256')
  const fd = openSync(path, 'w')
  for (let count = 0; count < Number(mebibytes); count += 1) {
    writeSync(fd, block)
    digest.update(block)
  }
  for (const text of [last, 'the end\n']) {
    writeSync(fd, text)
    digest.update(text)
  }
  closeSync(fd)
  return digest.digest('hex')
}

const objects = objectStore(kept)
const path = absolutePathSchema.parse('/f')
const live = written(join(root, 'f'), 'by hand\n')
const expected = written(join(root, 'applied'), 'as applied\n')
const host = openHost({ root, run: createRun({ graceSeconds: 1 }) })
const batch = objects.batch()
await batch.add((take) => host.files.parts(absolutePathSchema.parse('/applied'), take))
await batch.settle()

const id = resourceId('file', path)
const baseline = { attributes: { type: 'file', content: expected } }
const differences = [{ name: 'content', expected, live }]
const readers = { host, objects, contents: async () => [] }
const sides = await contentsFor([{ id, desired: undefined, baseline, differences }], readers)
const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
process.stdout.write(JSON.stringify({ peakMiB: Number(peak) / 1024, line: sides.get(id)?.large?.line ?? 0 }))
