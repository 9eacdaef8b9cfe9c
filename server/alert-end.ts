// Why an alert ended, as data: kept with it, sent to channels and shown on pages, each of which makes its own text of it.
import { z } from 'zod'
import { absoluteTime } from '../shared/time-text.js'
import { visibleText } from '../shared/visible-text.ts'

export const alertEndSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('no-longer-true') }),
  /** Still true, and left alone for a time. */
  z.object({ kind: z.literal('held'), by: z.string(), until: z.string() }),
  z.object({ kind: z.literal('host-removed') }),
  /** The service is no longer one of the host. */
  z.object({ kind: z.literal('service-left') }),
])

export type AlertEnd = Readonly<z.infer<typeof alertEndSchema>>

/** Undefined: its cause is gone, which is what `resolved` means. */
export function alertEndText(end: AlertEnd | undefined, kind: string): string | undefined {
  switch (end?.kind) {
    case 'held': {
      const isDrift = kind === 'drift' || kind === 'fight'
      return visibleText(
        `held by ${end.by} until ${absoluteTime(end.until)}${isDrift ? ', the drift is still there' : ''}`,
      )
    }
    case 'host-removed':
      return 'the host was removed'
    case 'service-left':
      return 'no longer a service of the host'
    default:
      return undefined
  }
}
