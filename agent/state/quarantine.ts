// Quarantines whatever is not a plain file where the state directory needs one (a directory, a socket, a link to
// itself), and reports it: no cached state may block an apply. Damaged content is handled by each store.
import { readdirSync, renameSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import type { Problem } from '../../shared/problem.ts'

/** Names that must be files, by part of the state directory. */
const filesIn: Readonly<Record<string, RegExp>> = {
  '.': /^(?:(?:agent-restart|applies|digests|displaced|evidence|failures|hashes|holds|repairs|spool|status)\.json|journal)$/,
  baseline: /\.json$/,
  objects: /^[0-9a-f]{64}$/,
  lock: /^\d+$/,
  'agent-lock': /^\d+$/,
  'person-applies': /\.json$/,
}

export function quarantineCorruptState(directory: string): readonly Problem[] {
  return Object.entries(filesIn).flatMap(([part, names]) =>
    strangeIn(join(directory, part), names).flatMap((path) => quarantine(path, directory)),
  )
}

function strangeIn(directory: string, names: RegExp): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    const doubtful = entries.filter((entry) => !entry.isFile() && names.test(entry.name))
    return doubtful.map(({ name }) => join(directory, name)).filter((path) => !leadsToFile(path))
  } catch {
    return []
  }
}

/** A link to a file elsewhere is the administrator's choice; a dangling link is a file that does not exist yet. */
function leadsToFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch (error) {
    return errnoOf(error) === 'ENOENT'
  }
}

function quarantine(path: string, directory: string): readonly Problem[] {
  for (let number = 1; number < 100; number += 1) {
    const aside = join(directory, `${basename(path)}.corrupt-${number}`)
    if (statSync(aside, { throwIfNoEntry: false }) !== undefined) continue
    try {
      renameSync(path, aside)
      return [strange(path, aside)]
    } catch {
      // On a read-only file system the first write reports the problem.
      return []
    }
  }
  return []
}

function strange(path: string, aside: string): Problem {
  return {
    code: 'state-corrupt',
    message: `this is not a readable file; it was quarantined as ${aside}.`,
    where: { file: path },
    remedy: 'Find out what created it, then remove it. The agent goes on without the state that was stored there.',
  }
}
