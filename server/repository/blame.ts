// Which commit gave each line of a file its present text: a revision and a path in, runs of lines out.
import type { Revision } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { blameArguments, blameLimits, runsOfBlame, unblamable } from '../../shared/repository/blame.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import type { Blame, Commit } from '../../shared/why.ts'
import { createTurns } from '../allowance/slots.ts'
import type { Git, GitResult } from './git.ts'
import { createRecent } from './recent.ts'

export type BlameParts = {
  readonly git: Git
  readonly at: { readonly gitDirectory: string; readonly configuration: string }
  entries(revision: Revision): Promise<readonly TreeEntry[]>
  /** In any order. */
  commits(revisions: readonly Revision[]): Promise<readonly Commit[]>
}

/** Undefined: the revision has no such file. */
export type BlameOf = (revision: Revision, path: string) => Promise<Blame | undefined>

export function createBlame(parts: BlameParts): BlameOf {
  const blames = createRecent<Blame | undefined>(50)
  // A long history makes a blame slow: readers of many files wait for each other, not for a machine full of gits.
  const turns = createTurns({ total: 2, each: 2 }, { total: Number.POSITIVE_INFINITY, each: Number.POSITIVE_INFINITY })
  return async (revision, path) => {
    const entry = (await parts.entries(revision)).find((candidate) => candidate.path === path)
    if (entry === undefined || entry.kind === 'submodule') return undefined
    return await blames(`${revision}:${path}`, async () => {
      const leave = await turns.enter('', new AbortController().signal)
      try {
        return await blameOf(parts, { revision, path, oid: entry.oid })
      } finally {
        leave?.()
      }
    })
  }
}

type Asked = { readonly revision: Revision; readonly path: string; readonly oid: string }

async function blameOf({ git, at, commits }: BlameParts, { revision, path, oid }: Asked): Promise<Blame> {
  const content = await git({ ...at, args: ['cat-file', 'blob', oid], outputLimitBytes: blameLimits.bytes })
  if (content.outcome === 'too-much') return { kind: 'too-large' }
  const reason = unblamable(succeeded(content, 'cat-file').stdout)
  if (reason !== undefined) return { kind: reason }
  const blamed = await git({ ...at, args: blameArguments(revision, path), deadlineSeconds: 60 })
  if (blamed.outcome === 'deadline') return { kind: 'too-slow' }
  const runs = runsOfBlame(succeeded(blamed, 'blame').stdout.toString('utf8'), path)
  return { kind: 'lines', runs, commits: await commits([...new Set(runs.map((run) => run.revision))]) }
}

function succeeded(result: GitResult, verb: string): GitResult {
  if (result.outcome === 0) return result
  throw new PlumbError({
    code: 'repository-corrupt',
    message: `git ${verb} ended with ${result.outcome}: ${result.stderr.slice(-1000)}`,
    remedy: 'The next fetch checks the clone and replaces it when it is damaged.',
  })
}
