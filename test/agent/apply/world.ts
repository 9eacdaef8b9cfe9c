// A host in a temporary directory, a state directory beside it, and desired services made of plain values.
import { hash } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyPlan } from '../../../agent/apply/apply.ts'
import { recover } from '../../../agent/apply/recover.ts'
import type { ApplyResult } from '../../../agent/apply/result.ts'
import { evidenceFor } from '../../../agent/evidence/evidence.ts'
import { type Capabilities, type HostWriter, openHost } from '../../../agent/host/host.ts'
import { contentsFor } from '../../../agent/observe/contents.ts'
import { identifyHost, liveByIdentity } from '../../../agent/observe/identify.ts'
import { observeHost } from '../../../agent/observe/observe.ts'
import { compareHost, drifted, type HostComparison } from '../../../agent/plan/compare.ts'
import { serviceReports } from '../../../agent/plan/findings.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { type Plan, type PlanOptions, planFor } from '../../../agent/plan/plan.ts'
import type { ReadContents } from '../../../agent/resources/kind.ts'
import { openState, type State } from '../../../agent/state/state.ts'
import type { Run } from '../../../shared/command.ts'
import {
  absolutePathSchema,
  hostNameSchema,
  type ResourceId,
  resourceId,
  revisionSchema,
  type Sha256,
  serviceNameSchema,
  sha256Schema,
} from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type {
  DesiredHost,
  DesiredService,
  DirectoryResource,
  FileResource,
  Resource,
  SymlinkResource,
} from '../../../shared/resource.ts'

const run = createRun({ graceSeconds: 0.3 })

export type World = {
  readonly directory: string
  readonly root: string
  readonly state: State
  readonly host: HostWriter
  readonly run: Run
  /** Another agent on the same host and state, as after a restart. */
  again(): World
  remove(): void
}

export type WorldOptions = {
  /** What is possible although this is no real host's root: `{ commands: true }` to run validation, triggers, checks. */
  readonly capabilities?: Partial<Capabilities>
  readonly run?: Run
  readonly root?: string
  readonly stateDirectory?: string
}

export function makeWorld(options: WorldOptions = {}): World {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-world-'))
  const root = options.root ?? join(directory, 'root')
  const stateDirectory = options.stateDirectory ?? join(directory, 'state')
  mkdirSync(root, { recursive: true })
  return openWorld(directory, { ...options, root, stateDirectory })
}

export async function compareIn(world: World, desired: DesiredHost, full = false): Promise<HostComparison> {
  const { baselines } = world.state.baselines.read()
  const known = identifyHost(desired, baselines, world.host)
  const live = liveByIdentity(await observeHost(known.desired, known.baselines, world.host, { full }), known)
  return compareHost(known.desired, known.baselines, live, world.host.memory)
}

export async function planIn(world: World, desired: DesiredHost, options?: Partial<PlanOptions>): Promise<Plan> {
  return planFor(await compareIn(world, desired), { repair: 'by-policy', ...options })
}

export async function applyIn(
  world: World,
  desired: DesiredHost,
  options?: Partial<PlanOptions>,
): Promise<ApplyResult> {
  const { state, host } = world
  const lock = await state.lock({ purpose: 'test', now: new Date(), waitSeconds: 5 })
  try {
    await recover(state, host, { lock, answering: async () => [] })
    const plan = await planIn(world, desired, options)
    return await applyPlan(plan, { host, state, lock, contents, checks: { withinSeconds: 0.5 }, now: () => new Date() })
  } finally {
    lock.release()
  }
}

/** What the agent would report. */
export async function reportsIn(world: World, desired: DesiredHost, secrets: readonly string[] = []) {
  const comparison = await compareIn(world, desired)
  const { host, state } = world
  const differing = comparison.services.flatMap(drifted)
  const sides = await contentsFor(differing, { host, objects: state.objects, contents })
  const mask = maskFor(secrets)
  const evidence = await evidenceFor(comparison, { host, state, mask, now: new Date() })
  return serviceReports(comparison, {
    contents: sides,
    mask,
    evidence,
    failureOf: (name) => state.failures.read().get(name),
  })
}

export function desiredHost(services: readonly DesiredService[], revision = '1'): DesiredHost {
  return {
    host: hostNameSchema.parse('web-1'),
    revision: revisionSchema.parse(revision.padStart(40, '0')),
    services,
    syncEverySeconds: 60,
    checkEverySeconds: 60,
    connectivityGuardSeconds: 60,
  }
}

export function service(
  name: string,
  resources: readonly Resource[],
  more: Partial<DesiredService> = {},
): DesiredService {
  const parsed = serviceNameSchema.parse(name)
  return {
    name: parsed,
    after: [],
    resources,
    validate: [],
    triggers: [],
    checks: [],
    settleSeconds: 0,
    onDrift: 'alert',
    onRemove: 'delete',
    ...more,
  }
}

export function file(path: string, text: string | Uint8Array, more: Partial<FileResource> = {}): FileResource {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  return {
    kind: 'file',
    id: resourceId('file', path),
    path: absolutePathSchema.parse(path),
    source: `services/x/files${path}`,
    content: { kind: 'rendered', bytes },
    sha256: sha(bytes),
    size: bytes.length,
    mode: 0o644,
    owner: 'root',
    group: 'root',
    secrets: [],
    ...more,
  }
}

export function symlink(path: string, target: string): SymlinkResource {
  const id = resourceId('symlink', path)
  return { kind: 'symlink', id, path: absolutePathSchema.parse(path), source: `services/x/files${path}`, target }
}

export function directory(path: string, more: Partial<DirectoryResource> = {}): DirectoryResource {
  return {
    kind: 'directory',
    id: resourceId('directory', path),
    path: absolutePathSchema.parse(path),
    source: 'services/x/service.yaml',
    mode: 0o755,
    owner: 'root',
    group: 'root',
    purge: false,
    keep: [],
    ...more,
  }
}

export function sha(bytes: Uint8Array | string): Sha256 {
  return sha256Schema.parse(hash('sha256', bytes, 'hex'))
}

export const contents: ReadContents = async (sources) =>
  sources.map((source) => {
    if (source.kind === 'blob') throw new Error('this fleet has rendered contents only')
    return source.bytes
  })

/** Every path below a directory with its type, mode, owner and content: equal texts are equal trees. */
export function treeOf(root: string): readonly string[] {
  return entriesBelow(Buffer.from(root), '')
}

/** The same without what a new copy of a file has of its own: inode and time. */
export function shapeOf(root: string): readonly string[] {
  return treeOf(root).map((line) => line.replace(/ \d+ [\d.]+ (?=[0-9a-f]{64}$)/, ' '))
}

export function outcome(result: ApplyResult, name = 'web') {
  return result.services.find(({ service: one }) => one === name)
}

export function idOf(kind: string, path: string): ResourceId {
  return resourceId(kind, path)
}

/** Names are bytes, shown as latin1: they need not be UTF-8. */
function entriesBelow(directory: Buffer, prefix: string): readonly string[] {
  const names = readdirSync(directory, { encoding: 'buffer' }).toSorted(Buffer.compare)
  return names.flatMap((name) => {
    const path = Buffer.concat([directory, Buffer.from('/'), name])
    const shown = `${prefix}${name.toString('latin1')}`
    const below = lstatSync(path).isDirectory() ? entriesBelow(path, `${shown}/`) : []
    return [entryText(path, shown), ...below]
  })
}

function entryText(path: Buffer, name: string): string {
  const stat = lstatSync(path)
  const about = `${name} ${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`
  if (stat.isSymbolicLink()) return `${about} -> ${readlinkSync(path)}`
  if (stat.isDirectory()) return `${about} directory`
  return stat.isFile() ? `${about} ${stat.ino} ${stat.mtimeMs} ${sha(readFileSync(path))}` : `${about} special`
}

type Places = WorldOptions & { readonly root: string; readonly stateDirectory: string }

function openWorld(directory: string, places: Places): World {
  const state = openState(places.stateDirectory)
  const sandbox = openHost({
    root: places.root,
    run: places.run ?? run,
    hashes: state.hashes,
    own: [places.stateDirectory],
  })
  const capabilities = { ...sandbox.capabilities, ...places.capabilities }
  return {
    directory,
    root: places.root,
    state,
    host: { ...sandbox, capabilities },
    run: places.run ?? run,
    again: () => openWorld(directory, places),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
