// `npm run bench`: first apply and check beside other tools. `npm run bench -- 10000` takes more files.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { atRest } from './at-rest.ts'
import { cfengineArgs } from './cfengine.ts'
import { insideAgent } from './inside.ts'
import { filesBelow, makeJob } from './job.ts'
import { isInstalled, type Measured, measureInTurn, type Timed, tableText } from './measure.ts'

const files = Number(process.argv[2] ?? 1000)
const checkout = resolve(import.meta.dirname, '../..')
const work = mkdtempSync(join(tmpdir(), 'plumb-bench-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

const repository = join(work, 'repository')
const root = join(work, 'root')
const state = join(work, 'state')
execFileSync(join(checkout, 'scripts/plumb'), ['--version'])
// As scripts/plumb does, and as the executable's own code cache.
process.env['NODE_COMPILE_CACHE'] = join(checkout, 'build/compile-cache')
makeJob(repository, files)
const plain = filesBelow(repository, join(work, 'plain'))

console.log(`${files} files of 5 KiB in ${files / 10} services; medians, everything in turn\n`)
const plumb = ['node', join(checkout, 'build/plumb.cjs')] as const
const onJob = ['--repo', repository, '--host', 'bench', '--root', root, '--state', state] as const

console.log(tableText('First apply into an empty root', measureInTurn([plumbFirst(), ...cfengineFirst()], 3)))
execFileSync(plumb[0], [...plumb.slice(1), 'apply', ...onJob])
await new Promise((resolve) => setTimeout(resolve, 2500)) // older than the tick of a file system: the stat counts

const sha256sum: Timed = {
  name: 'find | xargs sha256sum',
  args: ['sh', '-c', 'find "$1" -type f -print0 | xargs -0 sha256sum >/dev/null', 'sh', root],
}
const checks: readonly Timed[] = [
  sha256sum,
  { name: 'plumb check, whole process', args: [...plumb, 'check', ...onJob] },
  { name: 'plumb check --full, whole process', args: [...plumb, 'check', '--full', ...onJob] },
  { name: 'plumb --version, whole process', args: [...plumb, '--version'] },
  ...ifInstalled('rsync', { name: 'rsync -rcn', args: ['rsync', '-rcn', `${plain}/`, `${root}/`] }),
  ...ifInstalled('cf-agent', {
    name: 'cf-agent, nothing to do',
    args: cfengineArgs(join(work, 'cfengine'), plain, root),
  }),
]
const nothingToDo = measureInTurn(checks, 7)
const inside: Measured = {
  name: 'check inside the running agent',
  seconds: await insideAgent({ repository, root, state }),
}
console.log(tableText('Nothing to change', [...nothingToDo, inside]))
judge(nothingToDo, inside)
await atRest(onJob)

function plumbFirst(): Timed {
  return { name: 'plumb apply', args: [...plumb, 'apply', ...onJob], before: emptyRoot }
}

function cfengineFirst(): readonly Timed[] {
  const args = cfengineArgs(join(work, 'cfengine'), plain, root)
  return ifInstalled('cf-agent', { name: 'cf-agent', args, before: emptyRoot })
}

function emptyRoot(): void {
  rmSync(root, { recursive: true, force: true })
  rmSync(state, { recursive: true, force: true })
  mkdirSync(root)
}

function ifInstalled(program: string, timed: Timed): readonly Timed[] {
  if (isInstalled(program)) return [timed]
  console.log(`left out: ${timed.name} (${program} is not installed; Debian has it)`)
  return []
}

/** The sentences, each with what was measured. */
function judge(rows: readonly Measured[], { seconds: insideSeconds }: Measured): void {
  const secondsOf = (name: string) => rows.find((row) => row.name.startsWith(name))?.seconds
  const reference = secondsOf('find') ?? Number.NaN
  const whole = secondsOf('plumb check, whole') ?? Number.NaN
  const limit = 3 * reference + 0.15
  say(
    whole <= limit,
    `whole-process check ${whole.toFixed(3)} s, at most 3 x sha256sum + 150 ms = ${limit.toFixed(3)} s`,
  )
  const cfengine = secondsOf('cf-agent')
  if (cfengine !== undefined)
    say(
      insideSeconds <= cfengine,
      `check inside the agent ${insideSeconds.toFixed(3)} s, no slower than cf-agent ${cfengine.toFixed(3)} s`,
    )
  console.log()
}

function say(held: boolean, text: string): void {
  console.log(`  ${held ? 'held  ' : 'MISSED'}  ${text}`)
}
