// What the kernel told auditd of a path, by ausearch. Costs nothing where auditd does not run.
import { existsSync } from 'node:fs'
import type { AuditRecord } from '../../../shared/evidence.ts'
import type { Run } from '../run.ts'
import { defined, isoTime, tidy } from './tidy.ts'

/** A record with numbers in the place of names. */
export type RawAudit = Omit<AuditRecord, 'user'> & { readonly loginUid?: number }

export function isAuditing(): boolean {
  return existsSync('/run/auditd.pid') && existsSync('/var/log/audit/audit.log')
}

/** Between `from` and `to` (ms since the epoch); the last twenty. */
export async function auditRecords(
  query: Run,
  {
    path,
    from,
    to,
    deadlineSeconds,
  }: { readonly path: string; readonly from: number; readonly to: number; readonly deadlineSeconds: number },
): Promise<readonly RawAudit[]> {
  const args = ['ausearch', '--input-logs', '--file', path, '--start', ...auditDay(from), '--format', 'raw']
  const found = await query({ args, environment: { TZ: 'UTC' }, deadlineSeconds, outputLimitBytes: 1 << 20 })
  if (found.code !== 0) return []
  const records = parseAudit(found.stdout, path)
  return records.filter(({ at }) => Date.parse(at) >= from && Date.parse(at) <= to).slice(-20)
}

/** As ausearch reads a time in the C locale: `11/26/26`, `12:17:27`. */
export function auditDay(ms: number): readonly [string, string] {
  const [day = '', time = ''] = new Date(ms).toISOString().split(/[T.]/)
  const [year = '', month, date] = day.split('-')
  return [`${month}/${date}/${year.slice(2)}`, time]
}

/** Events that name the path, in the order of the log. One event is several lines with one id. */
export function parseAudit(stdout: string, path: string): readonly RawAudit[] {
  const events = new Map<string, { call?: string; named: boolean; at: string }>()
  for (const line of stdout.split('\n')) {
    const [, type, seconds, serial] = /^(?:node=\S+ )?type=(\S+) msg=audit\((\d+\.\d+):(\d+)\):/.exec(line) ?? []
    const at = isoTime(Number(seconds) * 1000)
    if (serial === undefined || at === undefined) continue
    const event = events.get(serial) ?? { named: false, at }
    events.set(serial, event)
    if (type === 'SYSCALL') event.call = line
    if (type === 'PATH') event.named ||= isNamed(auditText(line, 'name'), path)
  }
  return [...events.values()].flatMap(({ call, named, at }) =>
    call === undefined || !named ? [] : [recordOf(call, at)],
  )
}

function recordOf(call: string, at: string): RawAudit {
  const number = (name: string) => {
    const text = auditText(call, name)
    return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
  }
  const loginUid = number('auid')
  return defined({
    at,
    // Unset: nobody logged in to start it.
    loginUid: loginUid === 0xffffffff ? undefined : loginUid,
    executable: tidy(auditText(call, 'exe')),
    command: tidy(auditText(call, 'comm')),
    pid: number('pid'),
    systemCall: systemCallName(auditText(call, 'arch'), number('syscall')),
  })
}

/** A name in quotes, or in hexadecimal when it has characters that would need them. */
function auditText(line: string, name: string): string | undefined {
  const [, quoted, plain] = new RegExp(` ${name}=(?:"([^"]*)"|(\\S+))`).exec(line) ?? []
  if (quoted !== undefined) return quoted
  const isHex = /^(?:name|exe|comm)$/.test(name) && /^(?:[0-9A-F]{2})+$/.test(plain ?? '')
  return isHex ? Buffer.from(plain ?? '', 'hex').toString('utf8') : plain
}

/** A program that works in its directory names the file alone. */
function isNamed(name: string | undefined, path: string): boolean {
  return name !== undefined && (name === path || path.endsWith(`/${name.replace(/^(?:\.\/)+/, '')}`))
}

function systemCallName(arch: string | undefined, number: number | undefined): string | undefined {
  if (number === undefined) return undefined
  const known = arch === 'c000003e' ? onX64 : arch === 'c00000b7' ? onArm64 : undefined
  return known?.[number] ?? String(number)
}

// Of arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h: those that change a file.
const onX64: Readonly<Record<number, string>> = {
  2: 'open',
  76: 'truncate',
  77: 'ftruncate',
  82: 'rename',
  84: 'rmdir',
  85: 'creat',
  86: 'link',
  87: 'unlink',
  88: 'symlink',
  90: 'chmod',
  91: 'fchmod',
  92: 'chown',
  93: 'fchown',
  94: 'lchown',
  188: 'setxattr',
  257: 'openat',
  260: 'fchownat',
  263: 'unlinkat',
  264: 'renameat',
  265: 'linkat',
  266: 'symlinkat',
  268: 'fchmodat',
  316: 'renameat2',
  437: 'openat2',
}
const onArm64: Readonly<Record<number, string>> = {
  5: 'setxattr',
  35: 'unlinkat',
  36: 'symlinkat',
  37: 'linkat',
  38: 'renameat',
  45: 'truncate',
  46: 'ftruncate',
  52: 'fchmod',
  53: 'fchmodat',
  54: 'fchownat',
  55: 'fchown',
  56: 'openat',
  276: 'renameat2',
  437: 'openat2',
}
