// What was applied and the diff that a report has -> what is live, proven by its hash. Pure.
import { hash } from 'node:crypto'
import { applyPatch } from 'diff'
import type { Finding } from '../../shared/finding.ts'
import type { Problem } from '../../shared/problem.ts'
import { textOf } from '../plan/diff.ts'
import { refusal } from './drifted.ts'

/** A problem: the report has not all of it. `applied` undefined: what was applied is not known here. */
export function liveFrom(applied: Uint8Array, { diff = '', differences, source }: Finding): Uint8Array | Problem {
  const content = differences.find(({ name }) => name === 'content')
  const text = textOf(applied)
  if (text === undefined) return onHost('it is not text', source)
  const live = patched(text, diff)
  const bytes = live === undefined ? undefined : Buffer.from(live)
  if (bytes !== undefined && hash('sha256', bytes, 'hex') === content?.live) return bytes
  return onHost(
    'its diff does not lead to what is live there: something in it was masked, or it has changed since',
    source,
  )
}

/** Only the host has the rest. */
export function onHost(message: string, file: string | undefined): Problem {
  return refusal(message, {
    ...(file === undefined ? {} : { where: { file } }),
    remedy: 'Adopt it on the host itself.',
  })
}

function patched(text: string, diff: string): string | undefined {
  try {
    const live = applyPatch(text, diff, { autoConvertLineEndings: false })
    return live === false ? undefined : live
  } catch {
    // Not a diff of one file.
    return undefined
  }
}
