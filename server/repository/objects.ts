// Reads a bare repository by the system git: trees, texts, commits, and which commit gave each path its present content.
import { compact } from '../../shared/compact.ts'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { entriesOfListing } from '../../shared/repository/listing.ts'
import { parsedEntries, type RepositoryTree } from '../../shared/repository/tree.ts'
import type { CommitView } from '../show/views.ts'
import { type BlameOf, createBlame } from './blame.ts'
import type { Git } from './git.ts'
import { createRecent } from './recent.ts'

export type Objects = {
  /** Undefined when the clone does not have it. */
  commit(revision: Revision): Promise<CommitView | undefined>
  /** Those of the revisions that are no commit here; all of them where the repository cannot be read. */
  missing(revisions: Iterable<Revision>): Promise<ReadonlySet<Revision>>
  /** Entries, and the texts that `parseRepository` reads. */
  tree(revision: Revision): Promise<RepositoryTree>
  /** Undefined when the revision has no such file. */
  readText(revision: Revision, path: string): Promise<string | undefined>
  /** For every file under `directory` (`''`: all) the commit that gave it its present content and mode. */
  lastCommits(revision: Revision, directory: string): Promise<ReadonlyMap<string, CommitView>>
  /** For every file that was there once and is not any more, the newest commit that took it out. */
  removals(revision: Revision): Promise<ReadonlyMap<string, CommitView>>
  /** Which commits made each service what it is at a revision. */
  touches(revision: Revision): Promise<Touches>
  /** The text of one file; reads nothing else. Undefined when the revision has no such file. */
  fileText(revision: Revision, path: string): Promise<string | undefined>
  /** The newest commits that touched `path`, newest first. */
  history(revision: Revision, path: string, limit: number): Promise<readonly CommitView[]>
  readonly blame: BlameOf
}

/** `age`: 0 for the newest commit of the history. */
export type Touch = { readonly commit: CommitView; readonly age: number }

export type Touches = {
  /** By name, the newest commit that touched anything in its directory, removals included. */
  readonly services: ReadonlyMap<string, Touch>
  /** Those of plumb.yaml, newest first. */
  readonly fleet: readonly Touch[]
}

export function createObjects(
  git: Git,
  at: { readonly gitDirectory: string; readonly configuration: string },
): Objects {
  const commits = createRecent<CommitView | undefined>(500)
  const trees = createRecent<RepositoryTree>(3)
  const walks = createRecent<ReadonlyMap<string, CommitView>>(8)
  const touched = createRecent<Touches>(8)
  const files = createRecent<string | undefined>(100)
  // A commit that was found stays: one git process for a page of hosts, and none where all are at revisions that were found before.
  const found = new Set<Revision>()
  const objects: Objects = {
    async missing(revisions) {
      const asked = [...new Set(revisions)].filter((revision) => !found.has(revision))
      if (asked.length === 0) return new Set()
      const { outcome, stdout } = await git({
        ...at,
        args: ['cat-file', '--batch-check=%(objecttype)'],
        stdin: asked.map((revision) => `${revision}^{commit}\n`).join(''),
      })
      const types = outcome === 0 ? stdout.toString('utf8').split('\n') : []
      for (const [index, revision] of asked.entries()) if (types[index] === 'commit') found.add(revision)
      return new Set(asked.filter((revision) => !found.has(revision)))
    },
    commit: (revision) =>
      commits(revision, async () => {
        if (!(await exists(revision))) return undefined
        return commitsOf(await text(['log', '-1', ...commitFormat, '--end-of-options', revision, '--']))[0]?.view
      }),
    tree: (revision) => trees(revision, () => readTree(revision)),
    readText: async (revision, path) => {
      const { entries } = await objects.tree(revision)
      const entry = entries.find((candidate) => candidate.path === path && candidate.kind !== 'submodule')
      return entry === undefined ? undefined : (await blobs([entry.oid])).get(entry.oid)
    },
    lastCommits: (revision, directory) =>
      walks(`${revision}:${directory}`, async () => {
        const present = await contentOf(revision, directory)
        const walked = await text([...walk, '--end-of-options', revision, '--', ...pathspec(directory)], 300)
        return authorsOf(commitsOf(walked), present)
      }),
    removals: (revision) =>
      walks(`${revision}:removed`, async () => {
        const { entries } = await objects.tree(revision)
        const present = new Set(entries.map(({ path }) => path))
        const walked = commitsOf(await text([...walk, '--diff-filter=D', '--end-of-options', revision, '--'], 300))
        const removals = new Map<string, CommitView>()
        for (const { view, left } of walked)
          for (const { path } of left) if (!present.has(path) && !removals.has(path)) removals.set(path, view)
        return removals
      }),
    touches: (revision) =>
      touched(revision, async () => {
        const paths = ['services', 'plumb.yaml']
        return touchesOf(commitsOf(await text([...walk, '--end-of-options', revision, '--', ...paths], 300)))
      }),
    fileText: (revision, path) =>
      files(`${revision}:${path}`, async () => {
        const answer = await git({ ...at, args: ['cat-file', 'blob', `${revision}:${path}`] })
        return answer.outcome === 0 ? answer.stdout.toString('utf8') : undefined
      }),
    history: async (revision, path, limit) => {
      const args = [
        'log',
        `--max-count=${limit}`,
        ...commitFormat,
        '--end-of-options',
        revision,
        '--',
        ...pathspec(path),
      ]
      return commitsOf(await text(args)).map((commit) => commit.view)
    },
    blame: createBlame({
      git,
      at,
      entries: async (revision) => (await objects.tree(revision)).entries,
      commits: async (revisions) => {
        if (revisions.length === 0) return []
        const log = await bytes(['log', '--no-walk=unsorted', '--stdin', ...commitFormat], 60, revisions.join('\n'))
        return commitsOf(log.toString('utf8')).map((commit) => commit.view)
      },
    }),
  }
  return objects

  async function readTree(revision: Revision): Promise<RepositoryTree> {
    const entries = entriesOfListing(
      await text(['ls-tree', '-r', '-l', '-z', '--full-tree', '--end-of-options', revision]),
    )
    const parsed = parsedEntries(entries)
    const contents = await blobs(parsed.map((entry) => entry.oid))
    return { entries, texts: new Map(parsed.map((entry) => [entry.path, contents.get(entry.oid) ?? ''])) }
  }

  /** Mode and object id of every file, which is what a commit must have left behind to be its author. */
  async function contentOf(revision: Revision, directory: string): Promise<ReadonlyMap<string, string>> {
    const listing = await text([
      'ls-tree',
      '-r',
      '-z',
      '--full-tree',
      '--end-of-options',
      revision,
      ...pathspec(directory),
    ])
    const lines = listing.split('\0').filter((line) => line !== '')
    return new Map(
      lines.map((line) => {
        const [meta = '', path = ''] = splitOnce(line, '\t')
        const [mode, , oid] = meta.split(' ')
        return [path, `${mode} ${oid}`]
      }),
    )
  }

  async function blobs(oids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (oids.length === 0) return new Map()
    const output = await bytes(['cat-file', '--batch'], 60, `${oids.join('\n')}\n`)
    return blobsOfBatch(output)
  }

  async function exists(revision: Revision): Promise<boolean> {
    const answer = await git({ ...at, args: ['cat-file', '-e', `${revision}^{commit}`] })
    return answer.outcome === 0
  }

  async function text(args: readonly string[], deadlineSeconds = 60): Promise<string> {
    return (await bytes(args, deadlineSeconds)).toString('utf8')
  }

  async function bytes(args: readonly string[], deadlineSeconds: number, stdin?: string): Promise<Buffer> {
    const result = await git({ ...at, args, deadlineSeconds, ...compact({ stdin }) })
    if (result.outcome === 0) return result.stdout
    throw new PlumbError({
      code: 'repository-corrupt',
      message: `git ${args[0]} in ${at.gitDirectory} ended with ${result.outcome}: ${result.stderr.slice(-1000)}`,
      remedy: 'The next fetch checks the clone and replaces it when it is damaged.',
    })
  }
}

const commitFormat = ['-z', '--format=%x00%H%x00%an%x00%aI%x00%B%x00', '--no-show-signature']

// `-c`: a merge names only what it made different from all its parents. By the ids a commit whose content lasted is distinguished
// from one that a merge resolved away.
const walk = ['log', '-c', '--raw', '--no-abbrev', '--no-renames', ...commitFormat]

function pathspec(path: string): readonly string[] {
  return path === '' ? [] : [path]
}

type WalkedCommit = { readonly view: CommitView; readonly left: readonly { path: string; content: string }[] }

/** The tokens between NULs: a commit's id, author, date and message in a row; a line of modes and ids, then its path. */
function commitsOf(log: string): readonly WalkedCommit[] {
  const tokens = log.split('\0')
  const commits: { view: CommitView; left: { path: string; content: string }[] }[] = []
  for (let index = 0; index < tokens.length; index += 1) {
    const token = (tokens[index] ?? '').trimStart()
    const id = revisionSchema.safeParse(token)
    if (id.success) {
      const [author = '', at = '', message = ''] = tokens.slice(index + 1, index + 4)
      commits.push({ view: commitView(id.data, { author, at, message }), left: [] })
      index += 3
    } else if (token.startsWith(':')) {
      commits.at(-1)?.left.push({ path: tokens[index + 1] ?? '', content: contentAfter(token) })
      index += 1
    }
  }
  return commits
}

function commitView(revision: Revision, commit: { author: string; at: string; message: string }): CommitView {
  const message = commit.message.trimEnd()
  return { revision, author: commit.author, at: commit.at, subject: message.split('\n')[0] ?? '', message }
}

/** `::100644 100644 100755 <id> <id> <id> MM`: as many parents as colons, the result's mode and id last. */
function contentAfter(line: string): string {
  const parents = line.length - line.replace(/^:+/, '').length
  const fields = line.slice(parents).split(' ')
  return `${fields[parents]} ${fields[2 * parents + 1]}`
}

function authorsOf(
  commits: readonly WalkedCommit[],
  present: ReadonlyMap<string, string>,
): ReadonlyMap<string, CommitView> {
  const authors = new Map<string, CommitView>()
  for (const { view, left } of commits) {
    for (const { path, content } of left) {
      if (!authors.has(path) && present.get(path) === content) authors.set(path, view)
    }
  }
  return authors
}

function touchesOf(commits: readonly WalkedCommit[]): Touches {
  const services = new Map<string, Touch>()
  const fleet: Touch[] = []
  for (const [age, { view: commit, left }] of commits.entries()) {
    if (left.some(({ path }) => path === 'plumb.yaml')) fleet.push({ commit, age })
    for (const { path } of left) {
      const [top, name, below] = path.split('/', 3)
      if (top === 'services' && name !== undefined && below !== undefined && !services.has(name))
        services.set(name, { commit, age })
    }
  }
  return { services, fleet }
}

function blobsOfBatch(output: Buffer): ReadonlyMap<string, string> {
  const blobs = new Map<string, string>()
  let position = 0
  while (position < output.length) {
    const end = output.indexOf(0x0a, position)
    const [oid = '', kind, size] = output.toString('utf8', position, end).split(' ')
    const length = kind === 'missing' ? -1 : Number(size)
    if (length >= 0) blobs.set(oid, output.toString('utf8', end + 1, end + 1 + length))
    position = end + 1 + length + 1
  }
  return blobs
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)]
}
