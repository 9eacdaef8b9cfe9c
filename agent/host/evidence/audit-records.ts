// In: lines of auditd's log. Out: the changes among them that were made to one path. Pure.
// The form: https://github.com/linux-audit/audit-documentation; what programs really leave: test/agent/evidence/recorded.
import { posix } from 'node:path'
import type { AuditRecord } from '../../../shared/evidence.ts'
import { defined, isoTime, sanitized } from './sanitize.ts'
import { readingCalls, systemCallNames } from './system-calls.ts'

/** A record with numbers in the place of names. */
export type RawAudit = Omit<AuditRecord, 'user'> & { readonly loginUid?: number }

export type AuditedPath = {
  readonly path: string
  readonly inode?: number | undefined
  readonly directoryInode?: number | undefined
}

/** In the order of the log. One event is several lines with one time and number. */
export function parseAudit(stdout: string, audited: AuditedPath): readonly RawAudit[] {
  const events = new Map<string, AuditEvent>()
  for (const line of stdout.split('\n')) {
    const [, type, id = '', seconds] = /^(?:node=\S+ )?type=(\S+) msg=audit\(((\d+\.\d+):\d+)\):/.exec(line) ?? []
    const at = isoTime(Number(seconds) * 1000)
    if (at === undefined) continue
    const event = events.get(id) ?? { at, items: [] }
    events.set(id, event)
    if (type === 'SYSCALL') event.call = callIn(line)
    if (type === 'CWD') event.workingDirectory = auditText(line, 'cwd')
    if (type === 'PATH') event.items.push(itemIn(line))
  }
  return [...events.values()].flatMap(({ at, call, ...event }) =>
    call !== undefined && isChange(call) && isOf(audited, { ...event, call }) ? [recordOf(call, at)] : [],
  )
}

type AuditEvent = { readonly at: string; call?: Call; workingDirectory?: string | undefined; readonly items: Item[] }

type Call = {
  readonly line: string
  /** `openat`; its number where that is all we know. */
  readonly name: string | undefined
}

type Item = { readonly name: string | undefined; readonly inode: string | undefined; readonly isParent: boolean }

function itemIn(line: string): Item {
  const [name, inode, kind] = ['name', 'inode', 'nametype'].map((field) => auditText(line, field))
  return { name, inode, isParent: kind === 'PARENT' }
}

/** auditd adds what it knows of the numbers, in capitals behind a control character, unless configured otherwise. */
function callIn(line: string): Call {
  const [, named] = / SYSCALL=([a-z]\w{0,39})(?: |$)/.exec(line) ?? []
  const number = numberIn(line, 'syscall')
  const known = systemCallNames[auditText(line, 'arch') ?? '']?.[number ?? -1]
  return { line, name: named ?? known ?? number?.toString() }
}

/** What failed changed nothing, and rules may ask for reading too: the agent's own would be the most of it. */
function isChange({ line, name = '' }: Call): boolean {
  if (auditText(line, 'success') === 'no' || readingCalls.has(name)) return false
  if (name !== 'open' && name !== 'openat') return true
  const flags = Number.parseInt(auditText(line, name === 'open' ? 'a1' : 'a2') ?? '', 16)
  return Number.isNaN(flags) || (flags & changingFlags) !== 0
}

/** O_WRONLY, O_RDWR, O_CREAT, O_TRUNC. */
const changingFlags = 0o1103

type Named = Pick<AuditEvent, 'workingDirectory' | 'items'> & { readonly call: Call }

/**
 * By its name, or by the last part of its name and an inode: a program may have come by another way (a link, a directory
 * that it had opened), and the name that the kernel gives a parent is then its guess, and wrong.
 */
function isOf({ path, inode, directoryInode }: AuditedPath, { call, workingDirectory, items }: Named): boolean {
  const named = items.flatMap(({ name, ...item }) => (name === undefined ? [] : [{ name, ...item }]))
  const parents = named.filter(({ isParent }) => isParent)
  // A rename has two.
  const isInDirectory = parents.length > 0 && parents.every((parent) => isInode(parent, directoryInode))
  const base = isBelowOpened(call) ? undefined : workingDirectory
  return named.some((item) => {
    const isGuess = item.isParent && isBelowOpened(call)
    if (!isGuess && placeOf(item.name, base) === path) return true
    if (posix.basename(item.name) !== posix.basename(path)) return false
    return isInode(item, inode) || (isInDirectory && !item.isParent)
  })
}

function isInode(item: Item, inode: number | undefined): boolean {
  return inode !== undefined && Number(item.inode) === inode
}

function placeOf(name: string, base: string | undefined): string | undefined {
  if (name.startsWith('/')) return posix.resolve(name)
  return base === undefined ? undefined : posix.resolve(base, name)
}

/** Relative names are then of a directory that the program had opened, as `rm -r` does, and not of where it worked. */
function isBelowOpened({ line, name = '' }: Call): boolean {
  if (!/at2?$/.test(name) || name === 'creat') return false
  const handles = name === 'symlinkat' ? ['a1'] : /^(?:rename|link)/.test(name) ? ['a0', 'a2'] : ['a0']
  return handles.some((handle) => !/^(?:f{8})?ffffff9c$/.test(auditText(line, handle) ?? ''))
}

function recordOf({ line, name }: Call, at: string): RawAudit {
  const loginUid = numberIn(line, 'auid')
  return defined({
    at,
    // Unset: the process was not started from a login.
    loginUid: loginUid === 0xffffffff ? undefined : loginUid,
    executable: sanitized(auditText(line, 'exe')),
    command: sanitized(auditText(line, 'comm')),
    pid: numberIn(line, 'pid'),
    systemCall: name,
  })
}

function numberIn(line: string, field: string): number | undefined {
  const text = auditText(line, field)
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** A name in quotes, or in hexadecimal when it has characters that would need them. */
function auditText(line: string, field: string): string | undefined {
  const [, quoted, plain] = new RegExp(` ${field}=(?:"([^"]*)"|([^\\s\\x1d]+))`).exec(line) ?? []
  if (quoted !== undefined) return quoted
  if (plain === undefined || plain === '(null)') return undefined
  const isHex = /^(?:name|cwd|exe|comm)$/.test(field) && /^(?:[0-9A-F]{2})+$/.test(plain)
  return isHex ? Buffer.from(plain, 'hex').toString('utf8') : plain
}
