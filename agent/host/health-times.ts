// How long containers take to become healthy, by what their compose file declares.
import { z } from 'zod'
import type { ComposeModel } from './compose-model.ts'

const healthcheckSchema = z.looseObject({
  disable: z.boolean().optional(),
  interval: z.string().optional(),
  start_period: z.string().optional(),
})

const servicesSchema = z
  .record(z.string(), z.looseObject({ healthcheck: healthcheckSchema.nullish() }))
  .catch({})
  .default({})

/** Of the slowest service: its start period, or where it has none the interval after which it is first asked. 0 without health checks. */
export function healthSecondsOf({ resolved }: Pick<ComposeModel, 'resolved'>): number {
  const services = Object.values(servicesSchema.parse(resolved['services']))
  return Math.max(0, ...services.map(({ healthcheck }) => secondsOf(healthcheck)))
}

function secondsOf(healthcheck: z.infer<typeof healthcheckSchema> | null | undefined): number {
  if (healthcheck === null || healthcheck === undefined || healthcheck.disable === true) return 0
  return durationSeconds(healthcheck.start_period) || durationSeconds(healthcheck.interval ?? dockersInterval)
}

const dockersInterval = '30s'

/** As Go writes durations: `1m30s`, `500ms`. */
function durationSeconds(text = ''): number {
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (unitSeconds[unit ?? 's'] ?? 0), 0)
}

const unitSeconds: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 }
