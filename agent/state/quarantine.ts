// What stands where a plain file of the state directory belongs - a directory, a socket, a link to itself - is set aside and
// told: nothing that the agent remembers is worth that it can no longer apply. Damaged content is each store's own business.
import { readdirSync, renameSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import type { Problem } from '../../shared/problem.ts'

/** Of each part of the state directory, the names that are files. */
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

/** A link that leads to a file somewhere else is how somebody wants it; one that leads nowhere is no file yet. */
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
      // On a read-only file system nothing can be written either: whoever has to, says so.
      return []
    }
  }
  return []
}

function strange(path: string, aside: string): Problem {
  return {
    code: 'state-corrupt',
    message: `this is no file that can be read; it was set aside as ${aside}.`,
    where: { file: path },
    remedy: 'See what put it there, then remove it. The agent goes on without what it remembered there.',
  }
}
