// `plumb why` asked of a clone with its history, by the system git.
import { resolve } from 'node:path'
import { revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { blameArguments, runsOfBlame, unblamable } from '../../shared/repository/blame.ts'
import type { Blame, Commit, Why } from '../../shared/why.ts'
import { lineOfBlame } from '../../shared/why.ts'
import type { Run } from '../host/run.ts'
import type { Output } from './output.ts'
import type { WhyAsker, WhyQuestion } from './why-asked.ts'

/** `directory`: of the clone, or any below its top. */
export async function whyInClone(directory: string, run: Run, output: Output): Promise<WhyAsker> {
  const git = (...args: readonly string[]) => outputOfGit(run, top, args)
  let top = directory
  // Empty at the top, and in a bare clone.
  top = resolve(directory, (await git('rev-parse', '--show-cdup')).trimEnd())
  if ((await git('rev-parse', '--is-shallow-repository')).trim() === 'true')
    output.progress(
      `${directory} is a shallow clone: what is older than its history is put down to its oldest commit. git fetch --unshallow`,
    )
  return {
    where: directory,
    async ask({ path, lines }) {
      const listed = await git('ls-tree', '--full-tree', '-r', '-z', '--name-only', 'HEAD')
      const sources = listed.split('\0').filter((source) => source !== '' && manages(source, path))
      if (sources.length === 0) return undefined
      return await Promise.all(sources.map((source) => whyOf(git, { path, source, lines })))
    },
  }
}

type Git = (...args: readonly string[]) => Promise<string>

async function whyOf(git: Git, { path, source, lines }: WhyQuestion & { readonly source: string }): Promise<Why> {
  const [why] = commitsOf(await git('log', '-1', ...format, 'HEAD', '--', `:(top,literal)${source}`))
  const about = { path, source, ...(why === undefined ? {} : { why }) }
  if (lines === undefined) return about
  const blame = await blameOf(git, source)
  return lines === 'all' ? { ...about, blame } : { ...about, line: lineOfBlame(blame, lines) }
}

async function blameOf(git: Git, source: string): Promise<Blame> {
  const content = Buffer.from(await git('cat-file', 'blob', `HEAD:${source}`))
  const reason = unblamable(content)
  if (reason !== undefined) return { kind: reason }
  const runs = runsOfBlame(await git(...blameArguments('HEAD', source)), source)
  const revisions = [...new Set(runs.map(({ revision }) => revision))]
  const commits =
    revisions.length === 0 ? [] : commitsOf(await git('log', '--no-walk=unsorted', ...format, ...revisions, '--'))
  return { kind: 'lines', runs, commits }
}

const format = ['--no-show-signature', '--format=%H%x00%an%x00%aI%x00%s%x00%B%x00']

function commitsOf(log: string): readonly Commit[] {
  const fields = log.split('\0')
  return Array.from({ length: Math.floor(fields.length / 5) }, (_, index) => {
    const [revision = '', author = '', at = '', subject = '', message = ''] = fields.slice(index * 5, index * 5 + 5)
    return { revision: revisionSchema.parse(revision.trim()), author, at, subject, message: message.trim() }
  })
}

function manages(source: string, path: string): boolean {
  if (source === path) return true
  const [, service, ...rest] = source.split('/')
  if (!source.startsWith('services/') || service === undefined) return false
  return hostPathOf(rest) === path
}

/** Where `files/…` and `units/…` of a service live on a host; the repository's own path for the rest. */
function hostPathOf([place, ...rest]: readonly string[]): string | undefined {
  if (place === 'files') return `/${rest.join('/')}`
  if (place === 'units') return `/etc/systemd/system/${rest.join('/')}`
  return undefined
}

async function outputOfGit(run: Run, directory: string, args: readonly string[]): Promise<string> {
  const command = ['git', '-C', directory, '-c', `safe.directory=${resolve(directory)}`, ...args]
  const result = await run({ args: command, outputLimitBytes: 64 * 1024 * 1024 })
  if (result.code === 127)
    throw new PlumbError({
      code: 'git-missing',
      message: 'git is not on this host.',
      remedy: 'Install git, or ask the server: plumb why PATH --server URL.',
    })
  if (result.code !== 0)
    throw new PlumbError({ code: 'usage', message: `${directory} cannot be read by git: ${result.stderr.trim()}` })
  return result.stdout
}
