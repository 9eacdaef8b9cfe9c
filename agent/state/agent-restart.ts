// State for rolling back a change of the agent's own unit from outside, when the restarted agent does not come up: the
// former files, and the former records of the services that changed them.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import {
  type AbsolutePath,
  absolutePathSchema,
  type Revision,
  revisionSchema,
  type ServiceName,
  serviceNameSchema,
} from '../../shared/names.ts'
import { readIfThere, removeIfThere, replaceDurably } from '../../shared/platform/durable.ts'
import { type Failure, failureSchema } from '../../shared/report.ts'
import { baselineJson, type ServiceBaseline, serviceBaselineSchema } from './baseline.ts'

const keptFileSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('missing'), path: absolutePathSchema }),
  z.object({ type: z.literal('link'), path: absolutePathSchema, target: z.string() }),
  z.object({ type: z.literal('file'), path: absolutePathSchema, mode: z.number(), content: z.base64() }),
])

const agentRestartSchema = z.object({
  revision: revisionSchema,
  files: z.array(keptFileSchema),
  services: z.array(
    z.object({
      service: serviceNameSchema,
      baseline: serviceBaselineSchema.exactOptional(),
      failure: failureSchema.exactOptional(),
    }),
  ),
})

export type KeptFile = z.infer<typeof keptFileSchema>
export type AgentRestart = {
  readonly revision: Revision
  readonly files: readonly KeptFile[]
  readonly services: readonly {
    readonly service: ServiceName
    /** Undefined when it had not been applied before. */
    readonly baseline?: ServiceBaseline
    /** A successful apply clears it; this one was rolled back. */
    readonly failure?: Failure
  }[]
}

/** Undefined when no restart waits for confirmation. */
export function readAgentRestart(stateDirectory: string): AgentRestart | undefined {
  const text = readIfThere(pathIn(stateDirectory))?.toString('utf8')
  try {
    return text === undefined ? undefined : agentRestartSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** When a restart is pending already, its former files stay: they are the last with which an agent came up. */
export async function writeAgentRestart(stateDirectory: string, restart: AgentRestart): Promise<void> {
  const earlier = readAgentRestart(stateDirectory)
  const files = new Map([...restart.files, ...(earlier?.files ?? [])].map((file) => [file.path, file]))
  const services = new Map([...restart.services, ...(earlier?.services ?? [])].map((one) => [one.service, one]))
  const content = {
    ...restart,
    files: [...files.values()],
    services: [...services.values()].map(({ baseline, ...one }) => ({ ...one, ...jsonOf(baseline) })),
  }
  await replaceDurably([{ path: pathIn(stateDirectory), content: `${JSON.stringify(content)}\n` }])
}

export function removeAgentRestart(stateDirectory: string): void {
  removeIfThere(pathIn(stateDirectory))
}

/** The present content. */
export function keptFile(path: AbsolutePath, root: string): KeptFile {
  const at = join(root, path)
  const stat = lstatSync(at, { throwIfNoEntry: false })
  if (stat?.isSymbolicLink()) return { type: 'link', path, target: readlinkSync(at) }
  if (!stat?.isFile()) return { type: 'missing', path }
  return { type: 'file', path, mode: stat.mode & 0o7777, content: readFileSync(at).toString('base64') }
}

/** A directory that has appeared there meanwhile is not ours, and stays. */
export function restoreKeptFile(file: KeptFile, root: string): void {
  const at = join(root, file.path)
  if (lstatSync(at, { throwIfNoEntry: false })?.isDirectory()) return
  rmSync(at, { force: true })
  if (file.type === 'missing') return
  mkdirSync(dirname(at), { recursive: true })
  if (file.type === 'link') {
    symlinkSync(file.target, at)
    return
  }
  writeFileSync(at, Buffer.from(file.content, 'base64'), { mode: 0o600 })
  chmodSync(at, file.mode)
}

function jsonOf(baseline: ServiceBaseline | undefined): { readonly baseline?: object } {
  return baseline === undefined ? {} : { baseline: baselineJson(baseline) }
}

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'agent-restart.json')
}
