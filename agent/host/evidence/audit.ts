// Records of auditd about a path, by ausearch. Costs nothing where auditd does not run.
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import type { Run } from '../../../shared/command.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import { PlumbError } from '../../../shared/problem.ts'
import type { FileReader } from '../files.ts'
import { type AuditedPath, parseAudit, type RawAudit } from './audit-records.ts'

export function isAuditing(): boolean {
  return existsSync('/run/auditd.pid') && existsSync('/var/log/audit/audit.log')
}

/** For a path that vanished with its parents, the uppermost missing directory: that is what was removed or moved. */
export function auditedPath(path: string, files: Pick<FileReader, 'stat'>): AuditedPath {
  const inodeOf = (each: string) => files.stat(absolutePathSchema.parse(each))?.inode
  let asked = path
  try {
    let directoryInode = inodeOf(posix.dirname(asked))
    while (directoryInode === undefined && posix.dirname(asked) !== '/') {
      asked = posix.dirname(asked)
      directoryInode = inodeOf(posix.dirname(asked))
    }
    return { path: asked, inode: inodeOf(asked), directoryInode }
  } catch (error) {
    if (error instanceof PlumbError) return { path }
    throw error
  }
}

export type AuditAsked = {
  readonly audited: AuditedPath
  /** Ms since the epoch. */
  readonly from: number
  readonly to: number
  readonly deadlineSeconds: number
}

/** Between `from` and `to`, the last twenty. */
export async function auditRecords(
  query: Run,
  { audited, from, to, deadlineSeconds }: AuditAsked,
): Promise<readonly RawAudit[]> {
  const window = ['--start', ...auditDay(from), '--end', ...auditDay(to + 1000)]
  // It looks for this text within the names that programs used: one that worked in /etc wrote `motd`, not `/etc/motd`.
  const args = ['ausearch', '--input-logs', '--file', posix.basename(audited.path), ...window, '--format', 'raw']
  const found = await query({ args, environment: { TZ: 'UTC' }, deadlineSeconds, outputLimitBytes: 1 << 20 })
  if (found.code !== 0) return []
  const records = parseAudit(found.stdout, audited)
  return records.filter(({ at }) => Date.parse(at) >= from && Date.parse(at) <= to).slice(-20)
}

/** As ausearch reads a time in the C locale: `11/26/26`, `12:17:27`. */
export function auditDay(ms: number): readonly [string, string] {
  const [day = '', time = ''] = new Date(ms).toISOString().split(/[T.]/)
  const [year = '', month, date] = day.split('-')
  return [`${month}/${date}/${year.slice(2)}`, time]
}
