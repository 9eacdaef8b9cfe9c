// `npm run bench -- hashing [FILES...]`: what looking at a tree costs inside the running agent, in full and by stat, beside the tools
// that hash, compare or list the same tree. Default 1,000 and 10,000 files; 100,000 needs some minutes for its first apply.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAgent } from '../../agent/commands/open.ts'
import { type Agent, type Desired, desiredAt, inspectHost } from '../../agent/inspect.ts'
import { cfengineArgs } from './cfengine.ts'
import { filesBelow, makeJob } from './job.ts'
import { isInstalled, type Measured, measureAllInTurn, type Timed, tableText } from './measure.ts'
import { aideArgs, puppetArgs } from './peers.ts'

const sizes = process.argv.slice(3).map(Number)
for (const files of sizes.length === 0 ? [1000, 10_000] : sizes) await measureTree(files)

async function measureTree(files: number): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'plumb-hashing-'))
  try {
    const repository = join(work, 'repository')
    const root = join(work, 'root')
    mkdirSync(root)
    makeJob(repository, files)
    const plumb = [process.execPath, join(import.meta.dirname, '../../build/plumb.cjs')] as const
    execFileSync(join(import.meta.dirname, '../plumb'), ['--version'])
    const onJob = ['--repo', repository, '--host', 'bench', '--root', root, '--state', join(work, 'state')]
    execFileSync(plumb[0], [plumb[1], 'apply', ...onJob], { stdio: 'ignore' })
    await measureApplied({ work, repository, root, files })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

type Applied = { readonly work: string; readonly repository: string; readonly root: string; readonly files: number }

async function measureApplied({ work, repository, root, files }: Applied): Promise<void> {
  const stamp = join(work, 'stamp')
  writeFileSync(stamp, '')
  // Older than the tick of a file system: a stat counts, and nothing is newer than the stamp.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  utimesSync(stamp, new Date(), new Date())
  const { agent } = await openAgent({ repo: repository, root, state: join(work, 'state'), host: 'bench' })
  const desired = await desiredAt(agent, await agent.repository.sync({ allowRewind: false }))
  const plain = filesBelow(repository, join(work, 'plain'))
  const rows = await measureAllInTurn(
    [
      shell('find | xargs -P2 sha256sum', 'find "$1" -type f -print0 | xargs -0 -P2 sha256sum >/dev/null', root),
      { name: 'plumb, full, in the agent', work: () => look(agent, desired, true) },
      ...ifInstalled('rsync', { name: 'rsync -rcn', args: ['rsync', '-rcn', `${plain}/`, `${root}/`] }),
      ...ifInstalled('cf-agent', { name: 'cf-agent, digest', args: cfengineArgs(join(work, 'cfengine'), plain, root) }),
      ...ifInstalled('aide', { name: 'aide --check', args: aideArgs(join(work, 'aide'), root) }),
      // A catalogue of a minute and more at 10,000 files and 10 rounds: once is enough to know the order of magnitude.
      ...(files > 1000 ? [] : ifInstalled('puppet', puppetIn(work, plain, root))),
      shell('find -newer', 'find "$1" -type f -newer "$2"', root, stamp),
      { name: 'plumb, by stat, in the agent', work: () => look(agent, desired, false) },
    ],
    files > 10_000 ? 3 : 5,
  )
  console.log(tableText(`${files} files of 5 KiB, nothing changed`, rows))
  judge(rows, 'plumb, full', 'find | xargs')
  judge(rows, 'plumb, by stat', 'find -newer')
  console.log()
}

async function look(agent: Agent, desired: Desired, full: boolean): Promise<void> {
  const { comparison } = await inspectHost(agent, desired, { full })
  const differing = comparison.services.flatMap(({ resources }) => resources.flatMap(({ differences }) => differences))
  if (differing.length > 0) throw new Error('not in sync: something else would be measured')
}

function puppetIn(work: string, plain: string, root: string): Timed {
  return { name: 'puppet apply --noop', args: puppetArgs(join(work, 'puppet'), plain, root) }
}

function shell(name: string, script: string, ...args: readonly string[]): Timed {
  return { name, args: ['sh', '-c', script, 'sh', ...args] }
}

function ifInstalled(program: string, timed: Timed): readonly Timed[] {
  if (isInstalled(program)) return [timed]
  console.log(`left out: ${timed.name} (${program} is not installed; Debian has it)`)
  return []
}

/** The limit: within twice what the reference takes. */
function judge(rows: readonly Measured[], ours: string, reference: string): void {
  const secondsOf = (start: string) => rows.find(({ name }) => name.startsWith(start))?.seconds ?? Number.NaN
  const ratio = secondsOf(ours) / secondsOf(reference)
  console.log(`${ratio <= 2 ? 'held  ' : 'MISSED'}  ${ours}: ${ratio.toFixed(2)} x ${reference}, at most 2`)
}
