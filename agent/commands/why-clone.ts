// `plumb why` asked of a clone with its history, by the system git.

import { resolve } from 'node:path'
import { withoutUserInformation } from '../../shared/address.ts'
import type { Account, Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { absolutePathSchema, revisionSchema } from '../../shared/names.ts'
import { closedGit } from '../../shared/platform/git.ts'
import { PlumbError } from '../../shared/problem.ts'
import { runsOfBlame, unblamable } from '../../shared/repository/blame.ts'
import { hostPlaces } from '../../shared/repository/host-places.ts'
import { readServiceFile } from '../../shared/repository/read-service.ts'
import type { Blame, Commit, Why } from '../../shared/why.ts'
import { lineOfBlame } from '../../shared/why.ts'
import type { FileReader } from '../host/files.ts'
import { requirePlainGitFiles } from '../host/git-files.ts'
import type { Interruptible } from '../host/interruptible.ts'
import { knownName } from '../host/known-name.ts'
import { repositoryOwner } from '../host/repository-owner.ts'
import { sha256 } from '../sync/reasons.ts'
import { type BlameGit, blameOfClone } from './blame-clone.ts'
import type { Output } from './output.ts'
import type { WhyAsker, WhyQuestion } from './why-asked.ts'
import { type Placed, placesBelow } from './why-below.ts'

type WhyParts = {
  readonly output: Output
  readonly files: FileReader
  readonly atSignal?: Interruptible['atSignal']
}

/** `directory`: of the clone, or any below its top. */
export async function whyInClone(
  directory: string,
  run: Run,
  { output, files, atSignal = () => {} }: WhyParts,
): Promise<WhyAsker> {
  const user = await repositoryOwner(directory, run)
  await requirePlainGitFiles(directory)
  const git = (...args: readonly string[]) => outputOfGit(run, args, { directory: top, user })
  const closed: BlameGit['closed'] = (args, environment) =>
    outputOfGit(run, args, { directory: top, user, environment })
  let top = resolve(directory)
  // A git that does not know the option repeats it.
  if ((await git('rev-parse', '--show-object-format')).trim() === 'sha256')
    throw new PlumbError({
      code: 'repository-invalid',
      message: `${directory}: ${sha256.why}.`,
      remedy: sha256.remedy,
    })
  // Empty at the top, and in a bare clone.
  top = resolve(directory, (await git('rev-parse', '--show-cdup')).trimEnd())
  if ((await git('rev-parse', '--is-shallow-repository')).trim() === 'true')
    output.progress(
      `${directory} is a shallow clone: what is older than its history is put down to its oldest commit. git fetch --unshallow`,
    )
  return {
    where: directory === '.' ? 'this clone' : directory,
    async ask({ path: asked, lines }) {
      const path = asked.replace(/(?<=.)\/+$/, '')
      const listed = await git('ls-tree', '--full-tree', '-r', '-z', '--name-only', 'HEAD')
      const present = listed.split('\0').filter((source) => source !== '')
      const clone = { git, closed, top, atSignal }
      const projects = await namedProjects(git)
      const sources = managing(present, path, { files, projects })
      if (sources.length === 0) {
        const below = placesBelow(present, path, projects)
        if (below.length > 0) return await whyBelow(clone, below)
        const removed = await removedFrom(git, { path, present: new Set(present), files })
        return removed.length === 0 ? undefined : removed
      }
      return await Promise.all(sources.map((source) => whyOf(clone, { path, source, lines })))
    },
  }
}

type Git = (...args: readonly string[]) => Promise<string>
type Clone = Pick<BlameGit, 'closed' | 'atSignal'> & { readonly git: Git; readonly top: string }

async function whyOf(clone: Clone, { path, source, lines }: WhyQuestion & { readonly source: string }): Promise<Why> {
  const { git } = clone
  const [why] = commitsOf(await git('log', '-1', ...format, 'HEAD', '--', `:(top,literal)${source}`))
  const about = { path, source, ...compact({ why }) }
  if (lines === undefined) return about
  const blame = await blameOf(clone, source)
  return lines === 'all' ? { ...about, blame } : { ...about, line: lineOfBlame(blame, lines) }
}

/** One after the other: of a large directory that is some hundred gits. */
async function whyBelow(clone: Clone, placed: readonly Placed[]): Promise<readonly Why[]> {
  const answers: Why[] = []
  for (const { path, source } of placed) answers.push(await whyOf(clone, { path, source, lines: undefined }))
  return answers
}

async function blameOf({ git, closed, top, atSignal }: Clone, source: string): Promise<Blame> {
  const content = Buffer.from(await git('cat-file', 'blob', `HEAD:${source}`))
  const reason = unblamable(content)
  if (reason !== undefined) return { kind: reason }
  const runs = runsOfBlame(await blameOfClone(source, top, { inClone: git, closed, atSignal }), source)
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

type Managing = {
  readonly files: FileReader
  /** By the directory of the service in the repository. */
  readonly projects: ReadonlyMap<string, string>
}

/** The directories that some service.yaml name for their compose projects. */
async function namedProjects(git: Git): Promise<ReadonlyMap<string, string>> {
  const pattern = ['-e', 'directory:', 'HEAD', '--', ':(top,glob)services/*/service.yaml']
  // Exit code 1: no file has it.
  const listed = await git('grep', '--full-name', '-l', '-z', ...pattern).catch(() => '')
  const named = listed.split('\0').flatMap((name) => /^HEAD:(services\/[^/]+)\/service\.yaml$/.exec(name)?.[1] ?? [])
  const directories = await Promise.all(
    named.map(async (service) => {
      const file = `${service}/service.yaml`
      const directory = readServiceFile(file, await git('cat-file', 'blob', `HEAD:${file}`)).settings.compose?.directory
      return directory === undefined ? [] : [[service, directory] as const]
    }),
  )
  return new Map(directories.flat())
}

/** As it is in the repository, or on a host by any name. */
function managing(sources: readonly string[], path: string, { files, projects }: Managing): readonly string[] {
  const projectOf = (source: string) => projects.get(source.split('/', 2).join('/'))
  const placed = sources.map((source) => ({ source, places: hostPlaces(source, projectOf(source)) }))
  const asked = absolutePathSchema.safeParse(path)
  const known = placed.flatMap(({ places }) =>
    places.flatMap((place) => absolutePathSchema.safeParse(place).data ?? []),
  )
  const name = asked.success ? knownName(asked.data, known, files) : path
  return placed.flatMap(({ source, places }) => (source === path || places.includes(name) ? source : []))
}

/** What the repository had there, and has no more: by the newest commit that took it out. */
async function removedFrom(
  git: Git,
  {
    path,
    present,
    files,
  }: { readonly path: string; readonly present: ReadonlySet<string>; readonly files: FileReader },
): Promise<readonly Why[]> {
  const log = await git('log', '-c', '--diff-filter=D', '--no-renames', '--name-only', '-z', '--format=%x01%H', 'HEAD')
  const removals = new Map<string, string>()
  for (const commit of log.split('\x01').slice(1)) {
    const [revision = '', ...sources] = commit.split('\0').map((part) => part.trim())
    for (const source of sources)
      if (source !== '' && !present.has(source) && !removals.has(source)) removals.set(source, revision)
  }
  const sources = managing([...removals.keys()], path, { files, projects: new Map() })
  return await Promise.all(
    sources.map(async (source) => {
      const shown = await git('log', '--no-walk', ...format, removals.get(source) ?? 'HEAD', '--')
      const [removed] = commitsOf(shown)
      return { path, source, ...compact({ removed }) }
    }),
  )
}

type Place = {
  readonly directory: string
  readonly user: Account | undefined
  readonly environment?: Readonly<Record<string, string>>
}

async function outputOfGit(run: Run, args: readonly string[], place: Place): Promise<string> {
  const { directory, user, environment = {} } = place
  const limits = { outputLimitBytes: 64 * 1024 * 1024, environment, ...compact({ user }) }
  const result = await run(closedGit(['-C', directory, ...args], limits))
  if (result.code === 127)
    throw new PlumbError({
      code: 'git-missing',
      message: 'git is not on this host.',
      remedy: 'Install git, or ask the server: plumb why PATH --server URL.',
    })
  if (result.code !== 0)
    throw new PlumbError({
      code: 'usage',
      message: `${directory} cannot be read by git: ${withoutUserInformation(result.stderr.trim())}`,
      remedy:
        user === undefined
          ? 'Name a clone of the fleet repository: --repo DIR. Or ask the server: --server URL'
          : `It is read as its owner (uid ${user.uid}), who needs access to it.`,
    })
  return result.stdout
}
