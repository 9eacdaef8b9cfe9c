// What the agent remembers between runs, below one root-only directory (default /var/lib/plumb).
import { chmodSync, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileError, unsafePath } from '../../shared/file-error.ts'
import { makeStateDirectory, sweepUnfinished } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type ApplyTimes, applyTimes } from './applies.ts'
import { type ArchiveStore, archivedContents, archiveStore } from './archive.ts'
import { type BaselineStore, type Baselines, baselineStore } from './baseline.ts'
import { type DigestStore, digestStore } from './digests.ts'
import { type EvidenceStore, evidenceStore } from './evidence.ts'
import { type FailureStore, failureStore } from './failures.ts'
import { type HashStore, hashStore } from './hashes.ts'
import { type HoldStore, holdStore } from './holds.ts'
import { type JournalFile, journalFile } from './journal.ts'
import { acquireLock, type Lock, type LockOptions } from './lock.ts'
import { type ObjectStore, objectStore } from './objects.ts'
import { keptOriginals } from './originals.ts'
import { type PersonApplies, personApplies } from './person-applies.ts'
import { quarantineCorruptState } from './quarantine.ts'
import { type RepairStore, repairStore } from './repairs.ts'

export type State = {
  readonly directory: string
  readonly baselines: BaselineStore
  readonly hashes: HashStore
  readonly digests: DigestStore
  readonly objects: ObjectStore
  readonly archive: ArchiveStore
  readonly failures: FailureStore
  readonly holds: HoldStore
  readonly evidence: EvidenceStore
  readonly applies: ApplyTimes
  readonly personApplies: PersonApplies
  readonly repairs: RepairStore
  readonly journal: JournalFile
  /** Throws PlumbError `locked`, saying who holds it. */
  lock(options: LockOptions): Promise<Lock>
  /** Keeps the object store within its bounds; to be called when the baselines are as applied. */
  prune(): void
}

export function openState(directory: string): State {
  secure(directory)
  const at = (name: string) => join(directory, name)
  for (const part of ['.', 'baseline', 'objects', 'lock', 'agent-lock', 'repository', 'person-applies'])
    sweepUnfinished(at(part))
  const lost = quarantineCorruptState(directory)
  const objects = objectStore(at('objects'))
  const archive = archiveStore(directory)
  const baselines = baselineStore(at('baseline'), lost)
  return {
    directory,
    baselines,
    hashes: hashStore(at('hashes.json')),
    digests: digestStore(at('digests.json')),
    objects,
    archive: archive,
    failures: failureStore(directory),
    holds: holdStore(directory),
    evidence: evidenceStore(at('evidence.json')),
    applies: applyTimes(at('applies.json')),
    personApplies: personApplies(at('person-applies')),
    repairs: repairStore(at('repairs.json')),
    journal: journalFile(at('journal')),
    lock: (options) => acquireLock(at('lock'), options),
    prune: () => {
      const known = baselines.read().baselines
      objects.prune([archivedContents(archive.list()), appliedContents(known), new Set(keptOriginals(known).keys())])
    },
  }
}

/** For what only asks, or changes what is there: a mistyped directory is neither made nor taken over. Throws PlumbError `usage`. */
export function openExistingState(directory: string): State {
  if (!marks.some((name) => existsSync(join(directory, name))))
    throw new PlumbError({
      code: 'usage',
      message: 'there is no state of an agent.',
      where: { file: directory },
      remedy: 'Name its directory by --state; plumb check and the agent make one.',
    })
  return openState(directory)
}

/** Any one of them is in each state directory, from the first check or hold on. */
const marks = ['status.json', 'holds.json', 'baseline', 'objects', 'displaced.json', 'repository', 'identity.pem']

function appliedContents(baselines: Baselines): ReadonlySet<string> {
  const resources = [...baselines.values()].flatMap((baseline) => [...baseline.resources.values()])
  return new Set(resources.flatMap(({ attributes }) => attributes['content'] ?? []))
}

/** 0700 and our own: contents of rendered secrets and the record of what to restore are below it. */
function secure(directory: string): void {
  makeStateDirectory(directory)
  try {
    const { uid } = statSync(directory)
    if (uid !== process.geteuid?.())
      throw unsafePath(directory, `the state directory belongs to uid ${uid}.`, 'Use one that is your own.')
    chmodSync(directory, 0o700)
  } catch (error) {
    throw fileError(error, directory, 'writing')
  }
}
