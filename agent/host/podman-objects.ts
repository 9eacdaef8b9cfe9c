// Volumes and networks of podman that an apply made, and that go when it is undone.
import type { MadeObject } from '../../shared/resource.ts'
import type { Run } from './run.ts'
import { systemctl } from './systemd.ts'

/** Those of them that podman does not have; none while it does not answer: what cannot be seen is not missing. */
export async function missingObjects(objects: readonly MadeObject[], query: Run): Promise<readonly MadeObject[]> {
  const kinds = [...new Set(objects.map(({ kind }) => kind))]
  const known = new Map(await Promise.all(kinds.map(async (kind) => [kind, await namesOf(kind, query)] as const)))
  return objects.filter(({ kind, name }) => known.get(kind)?.has(name) === false)
}

/** One that a container uses is left: podman refuses to remove it. */
export async function removeObjects(objects: readonly MadeObject[], run: Run): Promise<void> {
  const gone = await missingObjects(objects, run)
  for (const object of objects.filter((one) => !gone.includes(one))) {
    const { code } = await run({ args: ['podman', object.kind, 'rm', '--', object.name] })
    // Its unit would stay active, and what requires it would be started without.
    if (code === 0 && object.madeBy !== undefined) await run(systemctl(['stop', '--', object.madeBy], 300))
  }
}

/** Of units that run no more: what a host that went down in the middle of an apply still has of them. */
export async function removeContainersOf(units: readonly string[], run: Run): Promise<void> {
  for (const unit of units) {
    const filter = `label=PODMAN_SYSTEMD_UNIT=${unit}`
    const { stdout } = await run({ args: ['podman', 'ps', '--all', '--quiet', '--no-trunc', '--filter', filter] })
    const ids = stdout.split('\n').filter((id) => /^[0-9a-f]{64}$/.test(id))
    if (ids.length > 0) await run({ args: ['podman', 'rm', '--force', '--volumes', '--time', '10', '--', ...ids] })
  }
}

/** Undefined: podman is not there, or does not answer. */
async function namesOf(kind: MadeObject['kind'], query: Run): Promise<ReadonlySet<string> | undefined> {
  const args = ['podman', kind, 'ls', '--format', '{{.Name}}']
  const { code, stdout } = await query({ args, outputLimitBytes: 4 << 20 })
  return code === 0 ? new Set(stdout.split('\n').filter((name) => name !== '')) : undefined
}
