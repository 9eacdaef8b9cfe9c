// What a project's files declare, worked out by compose once for each content of them.

import type { Run } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { composeModel, composeVersion, configHashes, servicesToRecreate } from '../host/compose-command.ts'
import type { ComposeModel } from '../host/compose-model.ts'
import { type Container, noEngine } from '../host/docker.ts'
import type { HostReader } from '../host/host.ts'
import { type Memory, slotByText } from '../memory.ts'
import { type Declaration, hashMismatches, labelsFor } from './compose-state.ts'
import { isAsDesired } from './judged.ts'

/** By compose file and digest of the project's files; what a declaration is does not change for them. */
const declarations = slotByText<Declaration>(500)

/** Undefined while the files on disk are not the applied ones: what they declare would say nothing of the containers. */
export async function declarationFor(desired: ComposeResource, applied: string, host: HostReader) {
  const known = host.memory.at(declarations).get(`${desired.file}\0${applied}`)
  if (known !== undefined || (applied !== 'none' && applied !== desired.sha256)) return known
  for (const file of desired.files) if (!(await isAsDesired(file, host))) return undefined
  try {
    return await declare(desired, { run: host.query, memory: host.memory })
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}

/** What compose is asked with, and what it answered before. */
export type Asking = { readonly run: Run; readonly memory: Memory }

export async function declare(desired: ComposeResource, { run, memory }: Asking): Promise<Declaration> {
  const declaration = await declarationOf(desired, await composeModel(desired, run), run)
  return remembered(desired, declaration, memory)
}

/** Of a model that compose resolved already. */
export async function declarationOf(desired: ComposeResource, model: ComposeModel, query: Run): Promise<Declaration> {
  const version = await composeVersion(query)
  if (version === '') throw noEngine('docker compose 2 is not installed here')
  const labels = labelsFor(model.services, desired.files)
  const hashes = await configHashes({ ...desired, labels }, model, query)
  const { services, objects, unset } = model
  return { services, objects, labels, hashes, composeVersion: version, unset }
}

function remembered({ file, sha256 }: ComposeResource, declaration: Declaration, memory: Memory): Declaration {
  memory.at(declarations).set(`${file}\0${sha256}`, declaration)
  return declaration
}

/** Compose has worked hashes out differently in `up` and in `config` before: a difference is put to it before it is believed. */
export async function corrected(
  desired: ComposeResource,
  own: readonly Container[],
  declared: Declaration,
  { run, memory }: Asking,
) {
  const right = await rightHashes({ desired, own, declared }, run)
  return right.size === 0
    ? declared
    : remembered(desired, { ...declared, hashes: new Map([...declared.hashes, ...right]) }, memory)
}

type Doubt = {
  readonly desired: ComposeResource
  readonly own: readonly Container[]
  readonly declared: Declaration
  /** Of a project that is not on disk yet. */
  readonly model?: ComposeModel
}

/** Hashes of services that compose itself would leave as they are. */
export async function rightHashes(
  { desired, own, declared, model }: Doubt,
  query: Run,
): Promise<ReadonlyMap<string, string>> {
  const doubtful = hashMismatches(own, declared)
  if (doubtful.length === 0) return new Map()
  const different = await servicesToRecreate(
    { ...desired, labels: declared.labels, ...(model && { model }) },
    own,
    query,
  )
  if (different === undefined) return new Map()
  const right = doubtful.filter(({ service }) => !different.has(service))
  return new Map(right.map(({ service, configHash }) => [service, configHash]))
}
