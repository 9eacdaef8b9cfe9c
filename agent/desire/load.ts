// A revision's objects -> the parsed repository.
// Decision: docs/decisions/2026-11-23-a-revision-in-full-or-not-at-all.md
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Problem } from '../../shared/problem.ts'
import type { Fleet } from '../../shared/repository/fleet.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import { type ParsedRepository, parseInTurns } from '../../shared/repository/parse.ts'
import { parsedEntries } from '../../shared/repository/tree.ts'
import type { RevisionReader } from '../sync/revision.ts'

/** `ignored`: files of a work tree that would not be committed, for better remedies. */
export async function loadRepository(
  reader: RevisionReader,
  ignored: ReadonlySet<string> = new Set(),
): Promise<ParsedRepository> {
  const entries = await reader.entries()
  const parsed = parsedEntries(entries)
  const contents = await reader.readMany(parsed.map(({ oid }) => oid))
  const decoder = new TextDecoder()
  const texts = new Map(parsed.map(({ path }, index) => [path, decoder.decode(contents[index])]))
  const { repository, problems } = await parseInTurns({ entries, texts, ignored }, () => nextTurn())
  return { repository, problems: [...problems, ...promised(repository.fleet)] }
}

/** The format has them, this agent does not carry them out: to pass over them in silence would be a promise that is not kept. */
function promised({ trust, rollout }: Fleet): readonly Problem[] {
  const where = (key: string) => ({ file: 'plumb.yaml', key })
  return [
    ...(trust === undefined
      ? []
      : [
          invalid('this version cannot verify signed revisions yet', where('trust'), {
            remedy: 'Remove trust for now.',
          }),
        ]),
    ...(rollout.length === 0
      ? []
      : [invalid('this version has no rollouts yet', where('rollout'), { remedy: 'Remove rollout for now.' })]),
  ]
}
