// The commit's message: the reason, what was changed where, and the evidence in words. Pure.
import { evidenceLine } from '../../shared/evidence-text.ts'
import { type HostName, parseResourceId, type Revision } from '../../shared/names.ts'
import type { Mask } from '../plan/mask.ts'
import type { Drifted } from './drifted.ts'

export type MessageParts = {
  readonly why: string
  readonly host: HostName
  readonly adopted: readonly Drifted[]
  /** The revision whose content was changed on the host; undefined when that is not known. */
  readonly applied: Revision | undefined
  readonly mask: Mask
}

export function commitMessage({ why, host, adopted, applied, mask }: MessageParts): string {
  const [subject = '', ...more] = why
    .trim()
    .split('\n')
    .map((line) => line.trimEnd())
  const body = more.join('\n').trim()
  const found = adopted.flatMap(({ summary, evidence }) => {
    const known = evidenceLine(evidence)
    return [`- ${oneLine(summary)}`, ...(known === undefined ? [] : [`  ${known}`])]
  })
  const of = applied === undefined ? '' : `, where revision ${applied.slice(0, 12)} was applied`
  const paragraphs = [
    subject,
    ...(body === '' ? [] : [body]),
    `Adopted from ${host}${of}. What was found there is evidence, not proof:\n\n${found.join('\n')}`,
    adopted.map(({ id }) => `Adopted-from: ${host}:${oneLine(nameOf(id))}`).join('\n'),
  ]
  return `${mask.text(paragraphs.join('\n\n'))}\n`
}

/** `/etc/nginx/nginx.conf`; `unit:nginx.service` for what is no path. */
export function nameOf(id: string): string {
  const name = parseResourceId(id).name
  return name.startsWith('/') ? name : id
}

/** `adopt/web-1-nginx-20261126-121705`, in UTC; to the second, because two paths of a service are soon adopted one after the other. */
export function branchName({ host, services, at }: { host: HostName; services: readonly string[]; at: Date }): string {
  const [first = 'host', ...others] = services
  const named = others.length === 0 ? first : `${first}-and-${others.length}-more`
  const time = at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
  // What a service may be called and a branch may not.
  return `adopt/${host}-${named}-${time}`.replaceAll('..', '.')
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}
