// Reads a bare repository by the system git: trees, texts, commits, and which commit gave each path its present content.
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { entriesOfListing } from '../../shared/repository/listing.ts'
import { isParsed, type RepositoryTree } from '../../shared/repository/tree.ts'
import type { CommitView } from '../show/views.ts'
import { type BlameOf, createBlame } from './blame.ts'
import type { Git } from './git.ts'
import { createRecent } from './recent.ts'

export type Objects = {
  /** Undefined when the clone does not have it. */
  commit(revision: Revision): Promise<CommitView | undefined>
  /** Entries, and the texts that `parseRepository` reads. */
  tree(revision: Revision): Promise<RepositoryTree>
  /** Undefined when the revision has no such file. */
  readText(revision: Revision, path: string): Promise<string | undefined>
  /** For every file under `directory` (`''`: all) the commit that gave it its present content and mode. */
  lastCommits(revision: Revision, directory: string): Promise<ReadonlyMap<string, CommitView>>
  /** The newest commits that touched `path`, newest first. */
  history(revision: Revision, path: string, limit: number): Promise<readonly CommitView[]>
  readonly blame: BlameOf
}

export function createObjects(
  git: Git,
  at: { readonly gitDirectory: string; readonly configuration: string },
): Objects {
  const commits = createRecent<CommitView | undefined>(500)
  const trees = createRecent<RepositoryTree>(3)
  const walks = createRecent<ReadonlyMap<string, CommitView>>(8)
  const objects: Objects = {
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
    const entries = entriesOfListing(await text(['ls-tree', '-r', '-z', '--full-tree', '--end-of-options', revision]))
    const parsed = entries.filter((entry) => isParsed(entry) && entry.kind !== 'submodule')
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
    const result = await git({ ...at, args, deadlineSeconds, ...(stdin === undefined ? {} : { stdin }) })
    if (result.outcome === 0) return result.stdout
    throw new PlumbError({
      code: 'repository-corrupt',
      message: `git ${args[0]} in ${at.gitDirectory} ended with ${result.outcome}: ${result.stderr.slice(-1000)}`,
      remedy: 'The next fetch checks the clone and makes it anew when it is damaged.',
    })
  }
}

const commitFormat = ['-z', '--format=%x00%H%x00%an%x00%aI%x00%B%x00', '--no-show-signature']

// `-c`: a merge names only what it made different from all its parents. The ids tell a commit whose content lasted from one
// that a merge resolved away.
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
