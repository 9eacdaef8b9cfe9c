// `npm run bench -- rest [FILES]`: what the shipped agent costs when nothing happens and everything is watched. Default 10,000 files.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { artifact, atRest } from './at-rest.ts'
import { makeJob } from './job.ts'

const files = Number(process.argv[3] ?? 10_000)
const work = mkdtempSync(join(tmpdir(), 'plumb-rest-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const repository = join(work, 'repository')
const root = join(work, 'root')
mkdirSync(root)
makeJob(repository, files)
const onJob = ['--repo', repository, '--host', 'bench', '--root', root, '--state', join(work, 'state')]
execFileSync(artifact, ['apply', ...onJob], { stdio: 'ignore' })
console.log(`${files} files of 5 KiB`)
await atRest(onJob, { residentMebibytes: 100 })
