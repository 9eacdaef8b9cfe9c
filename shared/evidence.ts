// What a host knows of a change that nobody told it of: when, and who was there. Evidence, never proof.
import { z } from 'zod'
import { revisionSchema } from './names.ts'

/** ISO 8601. */
const time = z.string().max(40)
const word = z.string().max(200)

export const sessionsLimit = 20
export const sudoLimit = 10
export const auditLimit = 10

/** Somebody who was logged in when it changed. */
export const sessionSchema = z.object({
  user: word,
  /** Address or name of where the login came from; absent: at the machine itself. */
  from: word.optional(),
  tty: word.optional(),
  /** What let them in: `ssh`, `login`. */
  service: word.optional(),
  since: time.optional(),
  /** Absent: still open when it was looked. */
  until: time.optional(),
})

/** A command that was run by sudo within a minute of the change; secrets masked. */
export const sudoSchema = z.object({
  at: time,
  user: word,
  as: word.optional(),
  tty: word.optional(),
  command: z.string().max(500),
})

/** What the kernel told auditd of the path. */
export const auditSchema = z.object({
  at: time,
  /** Who logged in at first, also behind sudo and su; absent: a daemon that nobody logged in to start. */
  user: word.optional(),
  executable: word.optional(),
  command: word.optional(),
  pid: z.number().int().nonnegative().optional(),
  /** As the kernel numbers it: `openat` where it is known, else `257`. */
  systemCall: word.optional(),
})

/** What the package manager did, at that time, to the package that owns the path. */
export const packageActionSchema = z.object({
  package: word,
  action: word,
  from: word.optional(),
  to: word.optional(),
  at: time,
  /** `apt-get upgrade`; secrets masked. */
  commandLine: z.string().max(500).optional(),
  requestedBy: word.optional(),
})

export const ownApplySchema = z.object({ startedAt: time, endedAt: time.optional(), revision: revisionSchema })

/** Everything is optional: what an older agent does not tell, a host cannot know. */
export const evidenceSchema = z.object({
  /** ISO 8601, from the inode. */
  modifiedAt: time.optional(),
  changedAt: time.optional(),
  owner: z.string().max(100).optional(),
  group: z.string().max(100).optional(),
  mode: z.string().max(10).optional(),
  size: z.number().int().nonnegative().optional(),
  /** Of what is missing: when something last appeared or vanished in its directory. */
  directoryChangedAt: time.optional(),
  /** Of a unit, a container or a package: when it came to be as it is. */
  stateChangedAt: time.optional(),
  /** When the agent first saw it, and gathered all this. */
  noticedAt: time.optional(),
  /** Open at the time of the change, or when it was noticed where no such time is known. Empty: nobody. Absent: not known. */
  sessions: z.array(sessionSchema).max(sessionsLimit).optional(),
  sudo: z.array(sudoSchema).max(sudoLimit).optional(),
  audit: z.array(auditSchema).max(auditLimit).optional(),
  packageAction: packageActionSchema.optional(),
  /** An apply of the agent's own was running then. */
  ownApply: ownApplySchema.optional(),
})

export type Session = z.infer<typeof sessionSchema>
export type SudoCommand = z.infer<typeof sudoSchema>
export type AuditRecord = z.infer<typeof auditSchema>
export type PackageAction = z.infer<typeof packageActionSchema>
export type OwnApply = z.infer<typeof ownApplySchema>
export type Evidence = z.infer<typeof evidenceSchema>

/** The change's own time, as ISO 8601; undefined when nothing tells it. */
export function changeTimeOf({ changedAt, stateChangedAt, directoryChangedAt }: Evidence): string | undefined {
  return changedAt ?? stateChangedAt ?? directoryChangedAt
}
