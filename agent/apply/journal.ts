// What an apply writes down before it changes anything, so that another process can finish or undo it after a crash.
// Decision: docs/decisions/2026-11-26-a-rollback-restarts-what-a-reboot-started.md

import { z } from 'zod'
import { compact } from '../../shared/compact.ts'
import { type Revision, revisionSchema, type ServiceName, serviceNameSchema } from '../../shared/names.ts'
import type { ResourceKindName, TriggerAction } from '../../shared/resource.ts'
import { bootId } from '../host/boot.ts'
import type { ToolStep } from '../host/tools.ts'
import { isKindName } from '../resources/registry.ts'
import { baselineJson, type ServiceBaseline, serviceBaselineSchema } from '../state/baseline.ts'
import type { JournalFile } from '../state/journal.ts'

/** A kind of a newer agent is not ours to restore: its record is passed over. */
const kindSchema = z.custom<ResourceKindName>(isKindName)

const toolSchema = z.object({
  when: z.enum(['before-files', 'after-files']),
  command: z.object({ args: z.array(z.string()), deadlineSeconds: z.number().exactOptional() }),
  summary: z.string(),
  needs: z.string().exactOptional(),
  mayFail: z.literal(true).exactOptional(),
})

const actionSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('reload'), unit: z.string() }),
  z.object({ kind: z.literal('restart'), unit: z.string() }),
  z.object({ kind: z.literal('reload-or-restart'), unit: z.string() }),
  z.object({ kind: z.literal('run'), command: z.string() }),
])

const service = serviceNameSchema

/** What is said of one service. */
const serviceRecordSchema = z.discriminatedUnion('kind', [
  /** The triggers to come: whatever was started by a later boot than this one has read what they would have told. */
  z.object({ kind: z.literal('begun'), service, boot: z.string(), triggers: z.array(actionSchema) }),
  /** What was there before a change; `mark` finds the temporary names beside the files. */
  z.object({
    kind: z.literal('saved'),
    service,
    revision: revisionSchema,
    /** ISO 8601: when the apply of the service began. */
    since: z.string().exactOptional(),
    mark: z.string(),
    resource: kindSchema,
    saved: z.array(z.unknown()),
  }),
  z.object({ kind: z.literal('tools'), service, tools: z.array(toolSchema) }),
  z.object({ kind: z.literal('trigger'), service, action: actionSchema }),
  /** From here on the service is as desired: its baseline is to be this one, or none. */
  z.object({ kind: z.literal('committed'), service, baseline: serviceBaselineSchema.nullable() }),
  /** All but the telling of it has been done (undo.ts). */
  z.object({ kind: z.literal('undone'), service }),
  /** A command of the repository is run after that: it may be what kills us. */
  z.object({ kind: z.literal('telling'), service, action: actionSchema }),
  /** Nothing is left to be done. */
  z.object({ kind: z.literal('told'), service }),
])

/** What is said of the whole apply: its connectivity guard (guard.ts), and how that ended. */
const applyRecordSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('guarded'), had: z.array(z.enum(['server', 'remote'])), withinSeconds: z.number() }),
  /** Contact was kept: what is committed stays. */
  z.object({ kind: z.literal('confirmed') }),
  /** Contact was lost: what is committed is to be undone, also when it comes back halfway through that. */
  z.object({ kind: z.literal('cut-off') }),
])

export type JournalRecord = z.infer<typeof serviceRecordSchema>
export type ApplyRecord = z.infer<typeof applyRecordSchema>
export type Saved = Extract<JournalRecord, { kind: 'saved' }>

/** What an undo writes down of itself. */
export type UndoLog = {
  undone(): Promise<void>
  telling(action: TriggerAction): Promise<void>
  told(): Promise<void>
}

/** The steps of one service that are to be undone if it fails; in memory and, before each is taken, on disk. */
export class ServiceJournal {
  readonly service: ServiceName
  readonly records: JournalRecord[] = []
  readonly #about: { readonly revision: Revision; readonly since: string }
  readonly #file: JournalFile

  constructor(service: ServiceName, { revision, since }: { revision: Revision; since: Date }, file: JournalFile) {
    this.service = service
    this.#about = { revision, since: since.toISOString() }
    this.#file = file
  }

  async begun(triggers: readonly TriggerAction[]): Promise<void> {
    await this.#append({ kind: 'begun', service: this.service, boot: bootId(), triggers: [...triggers] })
  }

  async saved(resource: ResourceKindName, mark: string, saved: readonly unknown[]): Promise<void> {
    if (saved.length === 0) return
    const about = { service: this.service, ...this.#about, mark, resource }
    await this.#append({ kind: 'saved', ...about, saved: [...saved] })
  }

  async tools(tools: readonly ToolStep[]): Promise<void> {
    const kept = tools.map(({ when, summary, needs, mayFail, command: { args, deadlineSeconds } }) => ({
      when,
      summary,
      command: { args: [...args], ...compact({ deadlineSeconds }) },
      ...compact({ needs, mayFail }),
    }))
    await this.#append({ kind: 'tools', service: this.service, tools: kept })
  }

  async trigger(action: TriggerAction): Promise<void> {
    await this.#append({ kind: 'trigger', service: this.service, action })
  }

  /** When it returns, nothing of this service is undone any more, unless the guard of the apply says so. */
  async committed(baseline: ServiceBaseline | undefined): Promise<void> {
    const record = { kind: 'committed', service: this.service } as const
    await this.#file.append({ ...record, baseline: baseline === undefined ? null : baselineJson(baseline) })
  }

  get undoing(): UndoLog {
    return undoLog(this.service, this.#file)
  }

  async #append(record: JournalRecord): Promise<void> {
    await this.#file.append(record)
    this.records.push(record)
  }
}

export function undoLog(service: ServiceName, file: JournalFile): UndoLog {
  return {
    undone: () => file.append({ kind: 'undone', service }),
    telling: (action) => file.append({ kind: 'telling', service, action }),
    told: () => file.append({ kind: 'told', service }),
  }
}

export async function markApply(kind: 'confirmed' | 'cut-off', file: JournalFile): Promise<void> {
  await file.append({ kind })
}

export type Journal = { readonly ofServices: readonly JournalRecord[]; readonly ofApply: readonly ApplyRecord[] }

/** Records that cannot be read are passed over: a version that wrote them must be the one to recover. */
export function readJournal(file: JournalFile): Journal {
  const lines = file.read()
  return {
    ofServices: lines.flatMap((line) => serviceRecordSchema.safeParse(line).data ?? []),
    ofApply: lines.flatMap((line) => applyRecordSchema.safeParse(line).data ?? []),
  }
}
