// What `git add -A` and a commit would make of a directory, as a revision: ignored files are not in it, line endings and encodings are
// converted by .gitattributes. The user's index and objects stay as they are; a directory outside of git is read as it is.

import { lstatSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command, CommandResult, Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { revisionSchema } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { entryKind } from '../../shared/repository/listing.ts'
import { revisionLimits, sizeProblems } from '../../shared/repository/sizes.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import { readWorkTree, tooManyFiles, workTreeLimits } from '../desire/work-tree.ts'
import type { Interruptible } from '../host/interruptible.ts'
import { eventLoopYield } from '../host/yield-loop.ts'
import { CatFile } from '../sync/cat-file.ts'
import { sha256 } from '../sync/reasons.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { type WorkTreeGit, workTreeGit } from './work-tree-git.ts'

export type Candidate = {
  readonly reader: RevisionReader
  readonly problems: readonly Problem[]
  /** Paths below services/ that are there and would not be committed. */
  readonly ignored: ReadonlySet<string>
  /** By path, the filter of .gitattributes that its content goes through at the commit. Filters are not run here. */
  readonly filters: ReadonlyMap<string, string>
  /** Removes what was made for it. */
  close(): Promise<void>
}

/** Throws PlumbError: `usage` when there is no such directory, `repository-invalid` when a file of it is too large for any host. */
export async function readCandidate(
  directory: string,
  run: Run,
  atSignal: Interruptible['atSignal'] = () => {},
): Promise<Candidate> {
  const top = await stat(directory).catch(() => undefined)
  const git = top?.isDirectory() === true ? await workTreeGit(directory, run) : undefined
  const repository = git === undefined ? undefined : await repositoryOf(directory, git)
  if (git === undefined || repository === undefined) return await asItIs(directory)
  if (repository === 'sha256') {
    const { problems, ...candidate } = await asItIs(directory)
    return { ...candidate, problems: [otherFormat(directory), ...problems] }
  }
  const byReader = (...args: readonly string[]): Command => ({
    args,
    deadlineSeconds: 20,
    ...compact({ user: git.user }),
  })
  const asReader = (...args: readonly string[]) => run(byReader(...args))
  const scratch = await makeScratch(git, repository, asReader)
  if (scratch === undefined) return await asItIs(directory)
  const remove = byReader('rm', '-rf', '--', scratch)
  atSignal(remove)
  const close = async () => void (await run(remove))
  try {
    const staged = await stage({ directory, git, repository, scratch })
    // Nothing of a directory that a repository around it ignores would be committed: it is looked at for itself.
    if (staged !== undefined && staged.entries.length > 0) return { ...staged, problems: [], close }
    await close()
    return await asItIs(directory)
  } catch (error) {
    await close()
    throw error
  }
}

async function asItIs(directory: string): Promise<Candidate> {
  const { reader, problems } = await readWorkTree(directory)
  return { reader, problems, ignored: new Set(), filters: new Map(), close: () => Promise.resolve() }
}

type Place = { readonly index: string; readonly objects: string }

/** No agent reads such a repository. */
function otherFormat(directory: string): Problem {
  return { code: 'repository-invalid', message: `${directory}: ${sha256.why}.`, remedy: sha256.remedy }
}

/** Undefined outside of a work tree, and where git refuses to read it. */
async function repositoryOf(directory: string, git: WorkTreeGit): Promise<Place | 'sha256' | undefined> {
  const names = ['--is-inside-work-tree', '--show-object-format', '--git-path', 'index', '--git-path', 'objects']
  const answer = await git.run(['rev-parse', ...names])
  const [inside, format, index, objects] = answer.stdout.split('\n')
  if (answer.code === 0 && inside === 'true' && format === 'sha256') return format
  if (answer.code !== 0 || inside !== 'true' || format !== 'sha1') return undefined
  if (index === undefined || objects === undefined) return undefined
  return { index: resolve(directory, index), objects: resolve(directory, objects) }
}

/**
 * Made and removed by the user who reads the work tree: their index may be a link to a file of root's, and in a directory of theirs root does
 * not touch names that they can exchange. Undefined when that fails.
 */
async function makeScratch(
  { user }: WorkTreeGit,
  { index }: Place,
  asReader: (...args: readonly string[]) => Promise<CommandResult>,
): Promise<string | undefined> {
  // The temporary directory of one user may be closed to others.
  const made = await asReader('mktemp', '-d', join(user === undefined ? tmpdir() : '/tmp', 'plumb-lint-XXXXXX'))
  const scratch = made.stdout.trimEnd()
  if (made.code !== 0 || (await asReader('mkdir', '--', join(scratch, 'objects'))).code !== 0) return undefined
  // With its stat data, so that files that did not change are not read. Without a copy, everything is added again.
  await asReader('cp', '--', index, join(scratch, 'index'))
  return scratch
}

type Staging = {
  readonly directory: string
  readonly git: WorkTreeGit
  readonly repository: Place
  readonly scratch: string
}

/** Undefined when git cannot stage all of it; the reader of the directory then says what is wrong with which file. */
async function stage({ directory, git, repository: { objects }, scratch }: Staging) {
  const environment = {
    GIT_INDEX_FILE: join(scratch, 'index'),
    GIT_OBJECT_DIRECTORY: join(scratch, 'objects'),
    GIT_ALTERNATE_OBJECT_DIRECTORIES: `"${objects.replaceAll(/["\\]/g, '\\$&')}"`,
  }
  const listed = await listedNames(git)
  const filters = await filtersOf(git, listed)
  const names = namesIn(listed)
  const large = await largeFiles(directory, names, filters)
  const excluded = large.map((path) => `:(exclude,literal)${path}`)
  const settings = ['-c', 'core.compression=0', '-c', 'core.safecrlf=false']
  const added = await git.run([...settings, 'add', '--all', '--', '.', ...excluded], {
    environment: { ...environment, ...withoutFilters(filters) },
  })
  if (added.code !== 0) return undefined
  const staged = await git.run(['ls-files', '--stage', '-z'], { environment })
  const ignored = await git.run(['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--', 'services'])
  if (staged.code !== 0) return undefined
  const entries = namesIn(staged.stdout)
    .flatMap(entryOf)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const files = new CatFile({ command: git.command(['cat-file', '--batch'], { environment }) })
  const read = (oid: string) => files.read(oid).catch(unreadable)
  const reader: RevisionReader = {
    revision: revisionSchema.parse('0'.repeat(40)),
    entries: () => Promise.resolve(entries),
    read,
    readMany: (oids) => Promise.all(oids.map(read)),
  }
  return { entries, reader, filters, ignored: new Set(namesIn(ignored.stdout)) }
}

function entryOf(line: string): readonly TreeEntry[] {
  const [, mode = '', oid = '', path = ''] = /^([0-7]+) ([0-9a-f]+) [0-3]\t(.*)$/s.exec(line) ?? []
  const kind = entryKind(mode)
  return kind === undefined ? [] : [{ path, kind, oid }]
}

/** Everything that would be committed, each name ended by NUL. */
async function listedNames(git: WorkTreeGit): Promise<string> {
  const listed = await git.run(['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  if (listed.cut === true || countOf('\0', listed.stdout) > workTreeLimits.entries) throw tooManyFiles()
  return listed.stdout
}

/**
 * Not to be staged: git would copy them into the temporary directory. Throws what no host takes. Of a file with a filter the commit
 * holds what the filter makes of it, and hosts get none that is outside of services/.
 */
async function largeFiles(
  directory: string,
  names: readonly string[],
  filters: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const sized: { readonly path: string; readonly oid: string; readonly size: number }[] = []
  const rest = eventLoopYield()
  for (const path of names) {
    await rest()
    const size = sizeOf(join(directory, path))
    // Until it is staged a file has no object id; its path identifies it.
    if (size > 0) sized.push({ path, oid: path, size })
  }
  const problems = sizeProblems(sized.filter(({ path }) => !filters.has(path)))
  if (problems.length > 0) throw new PlumbError(problems)
  return sized.filter(({ size }) => size > revisionLimits.fileBytes).map(({ path }) => path)
}

/** Of a regular file; what cannot be read is left for git to say. */
function sizeOf(path: string): number {
  try {
    const stat = lstatSync(path)
    return stat.isFile() ? stat.size : 0
  } catch {
    return 0
  }
}

/** `filter` is the attribute that names programs of the repository's configuration. */
async function filtersOf(git: WorkTreeGit, listed: string): Promise<ReadonlyMap<string, string>> {
  const asked = await git.run(['check-attr', '-z', '--stdin', 'filter'], { stdin: listed })
  const fields = namesIn(asked.stdout)
  const filters = new Map<string, string>()
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [path, , value] = fields.slice(at, at + 3)
    if (path !== undefined && value !== undefined && !notAFilter.has(value)) filters.set(path, value)
  }
  return filters
}

const notAFilter = new Set(['unspecified', 'unset', 'set', ''])

/** By environment: in an argument, a name with `=` in it would be read as another setting. */
function withoutFilters(filters: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const settings = [...new Set(filters.values())].flatMap((name) => [
    [`filter.${name}.clean`, ''],
    [`filter.${name}.process`, ''],
    [`filter.${name}.required`, 'false'],
  ])
  return Object.fromEntries([
    ['GIT_CONFIG_COUNT', String(settings.length)],
    ...settings.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ])
}

function namesIn(output: string): readonly string[] {
  return output.split('\0').filter((name, index, all) => index < all.length - 1 || name !== '')
}

function countOf(character: string, text: string): number {
  let count = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count += 1
  return count
}

function unreadable(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  throw new PlumbError({ code: 'repository-corrupt', message })
}
