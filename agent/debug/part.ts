// What a debug bundle consists of: texts, and what was left out with the reason. Codes and fields; leftOutText makes the words.

import { compact } from '../../shared/compact.ts'
export type Part = {
  readonly kind: 'part'
  /** Path inside the bundle: `state/holds.json`. */
  readonly name: string
  readonly text: string
  /** Only its end is there. */
  readonly isCut: boolean
}

export type LeftOutReason =
  /** It is a secret, or holds contents that may be. */
  | 'secret'
  /** Derived from the host: of no use elsewhere. */
  | 'cache'
  | 'unknown-file'
  | 'size'
  /** Only its end would fit, and that is one line: where a line is cut, half a secret may stand. */
  | 'long-line'
  /** With --root or --state: unit and log on this machine belong to another agent. */
  | 'other-agent'
  | 'absent'
  | 'unreadable'
  /** A secret in it could not be masked. */
  | 'unmaskable'

export type LeftOut = {
  readonly kind: 'left-out'
  readonly name: string
  readonly reason: LeftOutReason
  /** `EACCES`, `journalctl is not installed` */
  readonly detail?: string
}

export type Found = Part | LeftOut

export function leftOut(name: string, reason: LeftOutReason, detail?: string): LeftOut {
  return { kind: 'left-out', name, reason, ...compact({ detail }) }
}

/** Of what was cut by bytes: a part of a secret is not found by the mask, so the line that was cut goes. */
export function wholeLines(found: Found): Found {
  if (found.kind === 'left-out' || !found.isCut) return found
  const end = found.text.indexOf('\n')
  return end < 0 ? leftOut(found.name, 'long-line') : { ...found, text: found.text.slice(end + 1) }
}

/** It belongs in the bundle and is missing: the verb exits with 1. */
export function isFault({ reason }: LeftOut): boolean {
  return reason === 'unreadable' || reason === 'unmaskable'
}

const reasonTexts: Readonly<Record<LeftOutReason, string>> = {
  secret: 'may hold secrets',
  cache: 'only a cache',
  'unknown-file': 'not part of a bundle',
  size: 'the bundle is full',
  'long-line': 'only the end fits, which is a part of one line and may begin with a part of a secret',
  'other-agent': 'of the agent of this machine, not of this state directory',
  absent: 'not there',
  unreadable: 'cannot be read',
  unmaskable: 'secrets in it cannot be masked',
}

export function leftOutText({ name, reason, detail }: LeftOut): string {
  return `${name}: ${reasonTexts[reason]}${detail === undefined ? '' : ` (${detail})`}`
}
