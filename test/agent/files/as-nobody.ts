// Run by write.test.ts as an ordinary user, who may not make hard links to files of others (fs.protected_hardlinks).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openFiles } from '../../../agent/host/files-open.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

const [, , root = ''] = process.argv
const files = openFiles({ root })
const path = absolutePathSchema.parse('/f')
const linked = absolutePathSchema.parse('/link/f')

const saved = files.undoPoint(path)
await files.stage(path, Buffer.from('ours'), { mode: 0o644 })
files.publish(path)
const written = readFileSync(join(root, 'f'), 'utf8')
await files.stage(linked, Buffer.from('ours'), { mode: 0o644 })
files.publish(linked)
const throughOwnLink = readFileSync(join(root, 'own/f'), 'utf8')
await files.rollBack(saved)
console.log(JSON.stringify({ written, throughOwnLink, putBack: readFileSync(join(root, 'f'), 'utf8') }))
