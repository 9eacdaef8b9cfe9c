// What containers see of single files that are mounted, and replaced on the host: a mount holds on to the old file. Where a file is judged by what it
// says, and what a container sees says what the revision says, the container is left as it is.
// Decision: docs/decisions/2026-11-26-what-a-container-sees.md

import type { Run } from '../../shared/command.ts'
import type { ProjectFile } from '../../shared/resource.ts'
import { documentBytes } from '../document/read.ts'
import { type Container, replacedMounts, rootsOf } from '../host/docker.ts'
import type { Declaration } from './compose-state.ts'
import { saysAsDesired } from './judged.ts'

export type Mounting = {
  readonly services: Declaration['services']
  /** Of the revision; none: whatever was replaced counts. */
  readonly files: readonly ProjectFile[]
}

/** By container, the targets that were replaced since they were mounted, but for those that say the same. */
export async function replacedMountsOf(
  own: readonly Container[],
  mounting: Mounting,
  query: Run,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const roots = await rootsOf(mountingIds(own, mounting), query)
  const replaced = await replacedMounts(roots, query)
  const different = [...replaced].map(async ([id, targets]) => {
    const right =
      targets.length === 0 ? new Set() : await rightTargets({ id, own, root: roots.get(id) }, mounting, query)
    return [id, targets.filter((target) => !right.has(target))] as const
  })
  return new Map(await Promise.all(different))
}

/** By service, the sources that every running container of it sees as the revision has them, whatever is on the host. */
export async function rightlySeen(
  own: readonly Container[],
  mounting: Mounting,
  query: Run,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  if (!mounting.files.some(({ judged }) => judged?.meaning !== undefined)) return new Map()
  const roots = await rootsOf(mountingIds(own, mounting), query)
  const seen = await Promise.all(
    [...roots].map(async ([id, root]) => [id, await rightTargets({ id, own, root }, mounting, query)] as const),
  )
  const rightly = mounting.services.map(({ name, mounts }) => {
    const each = seen.filter(([id]) => own.some((container) => container.id === id && container.service === name))
    const right = mounts.filter(({ target }) => each.length > 0 && each.every(([, targets]) => targets.has(target)))
    return [name, new Set(right.map(({ source }) => source))] as const
  })
  return new Map(rightly)
}

function mountingIds(own: readonly Container[], { services }: Mounting): readonly string[] {
  const mounting = new Set(services.filter(({ mounts }) => mounts.length > 0).map(({ name }) => name))
  return own.filter(({ service, state }) => state === 'running' && mounting.has(service)).map(({ id }) => id)
}

type Seeing = { readonly id: string; readonly own: readonly Container[]; readonly root: string | undefined }

/** Only of what is judged: of other files no byte is read. */
async function rightTargets(
  { id, own, root }: Seeing,
  { services, files }: Mounting,
  query: Run,
): Promise<ReadonlySet<string>> {
  const service = own.find((container) => container.id === id)?.service
  const mounts = services.find(({ name }) => name === service)?.mounts ?? []
  const right = new Set<string>()
  for (const { source, target } of mounts) {
    const file = files.find(({ path, judged }) => path === source && judged?.meaning !== undefined)
    if (root !== undefined && file !== undefined && (await saysRight(`${root}${target}`, file, query)))
      right.add(target)
  }
  return right
}

/** Read as root: a container that leads this elsewhere gains no more than not being made anew. */
async function saysRight(path: string, file: ProjectFile, query: Run): Promise<boolean> {
  const limit = documentBytes(file.judged?.rules.as ?? 'json')
  const { code, stdout, cut } = await query({
    args: ['cat', '--', path],
    outputLimitBytes: limit + 1,
    deadlineSeconds: 10,
  })
  return code === 0 && cut !== true && saysAsDesired(file, Buffer.from(stdout))
}
