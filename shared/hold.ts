// A hold: a person's time-limited "leave this service alone", with the reason. How it is written where it is made, kept and sent.
import { z } from 'zod'
import { serviceNameSchema } from './names.ts'
import { durationSchema, hostPatternSchema } from './repository/scalars.ts'

/** Longer is not a hold but a decision, which belongs into the repository. */
export const longestHoldSeconds = 14 * 86_400

/** One service, or `*`: all of a host. */
export const holdTargetSchema = z.union([z.literal('*'), serviceNameSchema])

export type HoldTarget = z.infer<typeof holdTargetSchema>

/** Both come to root's terminal: no control characters. */
export const holdReasonSchema = line(500)
const personSchema = line(200)

/** A hold that a server asks of a host. It names a service and says who, why and until when: no content, no command. */
export const serverHoldSchema = z.object({
  id: z.string().regex(/^[\w-]{1,64}$/),
  service: holdTargetSchema,
  by: personSchema,
  why: holdReasonSchema,
  since: z.iso.datetime(),
  until: z.iso.datetime(),
})

export type ServerHold = z.infer<typeof serverHoldSchema>

/** What an operator asks of a server. */
export const holdRequestSchema = z.strictObject({
  service: holdTargetSchema,
  /** Names or patterns of hosts: `web-1`, `web-*`. */
  hosts: z.array(hostPatternSchema).min(1).max(100).default(['*']),
  for: durationSchema,
  why: holdReasonSchema,
  /** As the person calls themselves; a token has no name. */
  by: personSchema,
})

export type HoldRequest = z.infer<typeof holdRequestSchema>

export function covers(target: HoldTarget, service: string): boolean {
  return target === '*' || target === service
}

function line(limit: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(limit)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u, 'text on one line, without control characters')
}
