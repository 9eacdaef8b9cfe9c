// Parses the text of one frame into an agent's message. Large texts are parsed and validated in slices, one at a time in the
// whole server, so that other clients are served between the slices.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import { findingSchema } from '../../shared/finding.ts'
import { type AgentMessage, agentMessageSchema } from '../../shared/protocol.ts'
import {
  applyResultSchema,
  changeSchema,
  ignoredSchema,
  pendingSchema,
  type Report,
  reportLimits,
  reportSchema,
  type ServiceReport,
  serviceReportSchema,
} from '../../shared/report.ts'
import { bounds } from '../allowance/bounds.ts'
import { parseJsonInSlices } from './json-slices.ts'

/** Undefined when it is not a message of this protocol. */
export async function parseMessage(text: string): Promise<AgentMessage | undefined> {
  if (text.length <= bounds.frameSlice.limit) return parsedAtOnce(text)
  const before = large
  const done = Promise.withResolvers<void>()
  large = done.promise
  await before
  try {
    return await parsedInSlices(text)
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof z.ZodError) return undefined
    throw thrown
  } finally {
    done.resolve()
  }
}

/** Settles when the last large message has been parsed. */
let large = Promise.resolve()

function parsedAtOnce(text: string): AgentMessage | undefined {
  try {
    return agentMessageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

const someAtOnce = 200
const turn = async () => void (await nextTurn())

async function parsedInSlices(text: string): Promise<AgentMessage> {
  const value = await parseJsonInSlices(text, { sliceLength: bounds.frameSlice.limit, turn })
  await turn()
  // Only reports are ever large.
  const { report } = reportFrameSchema.parse(value)
  await turn()
  const services = await inTurns(report.services, 1, ([service]) => serviceInTurns(service))
  const apply = report.apply === undefined ? undefined : await applyInTurns(report.apply)
  const whole: Report = { ...report, services, apply }
  if (apply === undefined) delete whole.apply
  return { type: 'report', report: whole }
}

const unchecked = (limit: number) => z.array(z.unknown()).max(limit)

const reportFrameSchema = z.object({
  type: z.literal('report'),
  report: reportSchema.extend({
    services: unchecked(reportLimits.services),
    apply: applyResultSchema.extend({ changes: unchecked(reportLimits.changes) }).optional(),
  }),
})

const uncheckedServiceSchema = serviceReportSchema.extend({
  findings: unchecked(reportLimits.findings),
  pending: unchecked(reportLimits.pending),
  ignored: unchecked(reportLimits.ignored).optional(),
})

async function serviceInTurns(value: unknown): Promise<ServiceReport[]> {
  const { ignored, ...service } = uncheckedServiceSchema.parse(value)
  const lists = {
    findings: await checked(findingSchema, service.findings),
    pending: await checked(pendingSchema, service.pending),
    ...(ignored === undefined ? {} : { ignored: await checked(ignoredSchema, ignored) }),
  }
  return [{ ...service, ...lists }]
}

type UncheckedApply = NonNullable<z.infer<typeof reportFrameSchema>['report']['apply']>

async function applyInTurns(apply: UncheckedApply): Promise<NonNullable<Report['apply']>> {
  return { ...apply, changes: await checked(changeSchema, apply.changes) }
}

function checked<Item>(schema: z.ZodType<Item>, values: readonly unknown[]): Promise<Item[]> {
  const some = z.array(schema)
  return inTurns(values, someAtOnce, async (slice) => some.parse(slice))
}

async function inTurns<Value, Item>(
  values: readonly Value[],
  atOnce: number,
  parse: (slice: readonly Value[]) => Promise<readonly Item[]>,
): Promise<Item[]> {
  const items: Item[] = []
  for (let start = 0; start < values.length; start += atOnce) {
    for (const item of await parse(values.slice(start, start + atOnce))) items.push(item)
    await turn()
  }
  return items
}
