// The single values of plumb.yaml and service.yaml. Every message is the noun phrase that follows "expected".
import { z } from 'zod'
import { identifierSchema } from '../names.ts'

const secondsOfUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
// Timers of the runtime overflow at 24 days.
const longestSeconds = 14 * 86_400
const longestSettleSeconds = 600

export const durationSchema = text(/^[1-9][0-9]{0,6}[smhd]$/, 'a duration such as 30s, 5m, 2h or 1d')
  .refine((written) => secondsOf(written) <= longestSeconds, 'a duration of at most 14d')
  .transform(secondsOf)
  .describe('A duration: 30s, 5m, 2h, 1d.')

/** How long what an apply started must stay up; an apply waits for it, so it is short. */
export const settleSchema = text(/^(?:0s|[1-9][0-9]{0,2}[sm])$/, 'a duration such as 10s, or 0s for none')
  .refine((written) => secondsOf(written) <= longestSettleSeconds, 'a duration of at most 10m')
  .transform(secondsOf)
  .describe('How long units and containers that an apply started or restarted must stay up: 10s, 1m, or 0s.')

export const modeSchema = text(/^[0-7]{3,4}$|^0[0-7]{4}$/, 'permissions in octal and in quotes, such as "0640"')
  .transform((written) => Number.parseInt(written, 8))
  .describe('Permission bits in octal, in quotes: "0640".')

const policies = 'alert, repair, or { ignore: REASON }'

export const driftPolicySchema = z
  .union(
    [
      z.enum(['alert', 'repair'], policies),
      z.strictObject({
        ignore: text(/^\S[^\0]*$/, 'the reason why drift is left as it is', 500).describe('Why it is left as it is.'),
      }),
    ],
    policies,
  )
  .describe('Drift is told (alert), put back at once (repair), or left as it is for a reason (ignore: REASON).')

export const accountSchema = text(
  /^(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10})$/,
  'the name of a user or group, or its number in quotes',
)

export const unitNameSchema = text(
  /^[A-Za-z0-9:_\\][A-Za-z0-9:_.\\@-]{0,200}\.(?:service|socket|timer|path|mount|automount|swap|slice|target)$/,
  'a unit with its suffix, such as caddy.service',
)

export const packageNameSchema = text(
  /^[A-Za-z0-9][A-Za-z0-9+._-]{0,127}(?::[a-z0-9-]{1,20})?$/,
  'the name of a package',
)

/** apt's own syntax: `2.6.2-5`, `2.6.*`, `1:2.?*`. */
export const packageVersionSchema = text(
  /^[A-Za-z0-9*?][A-Za-z0-9.+~^:_*?-]{0,127}$/,
  'a version in quotes, whole or with *, such as "2.6.2-5" or "2.6.*"',
)

export const hostPatternSchema = text(/^[a-z0-9.*?-]{1,63}$/, 'a host name or a pattern such as edge-* or *')

export const commandSchema = text(/\S/, 'a command', 4000).refine((command) => !command.includes('\0'), 'a command')

/** What a template may use: text, or what YAML reads as a number or a boolean, as text. */
export const variablesSchema = mapOf(
  identifierSchema,
  z
    .union([z.string().max(16_384), z.number(), z.boolean()], 'text, a number, true or false')
    .transform((value) => String(value)),
  { limit: 1000, of: 'variables' },
)

/** A whole text that matches, at most `limit` characters long. */
export function text(pattern: RegExp, expected: string, limit = 512) {
  return z.string(expected).max(limit, `${expected}, at most ${limit} characters long`).regex(pattern, expected)
}

/** A YAML map as a ReadonlyMap, so that a key such as `constructor` is only ever what the file says. */
export function mapOf<Name extends string, Value>(
  name: z.ZodType<Name, string>,
  value: z.ZodType<Value>,
  { limit, of }: { readonly limit: number; readonly of: string },
) {
  return z
    .record(name, value)
    .refine((entries) => Object.keys(entries).length <= limit, `at most ${limit} ${of}`)
    .transform((entries): ReadonlyMap<Name, Value> => {
      const named = Object.entries<Value>(entries).map(([key, entry]): [Name, Value] => [name.parse(key), entry])
      return new Map(named)
    })
}

function secondsOf(written: string): number {
  return Number.parseInt(written, 10) * (secondsOfUnit[written.slice(-1)] ?? 1)
}
