// The services of one host: their resources, what a change of these triggers, and their checks.
import { type AbsolutePath, type ResourceId, resourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { DirectorySettings } from '../../shared/repository/service.ts'
import {
  type ComposeResource,
  type DesiredService,
  type DirectoryResource,
  type FileResource,
  judgedDigest,
  type PackageResource,
  type PackageSettings,
  type ProjectFile,
  type RegistryLogin,
  type SymlinkResource,
  type Trigger,
  type TriggerAction,
  type UnitResource,
} from '../../shared/resource.ts'
import { type Digests, sha256Of } from './digests.ts'
import type { JudgedContents } from './judged.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import type { RegistryLogins } from './registries.ts'
import type { Renderings } from './render.ts'
import { impliedTriggers, unitResources } from './units.ts'

export type Contents = {
  readonly digests: Digests
  readonly renderings: Renderings
  readonly logins: RegistryLogins
  readonly judged: JudgedContents
}

/** In the order given. A package that several services name belongs to the first of them. */
export function desiredServices(
  services: readonly ManagedService[],
  contents: Contents,
  onDrift: DesiredService['onDrift'],
): readonly DesiredService[] {
  const names = new Set(services.map(({ service }) => service.name))
  const targets = services.flatMap(({ service, files }) => [
    ...files.map(({ target }) => target),
    ...service.settings.directories.keys(),
  ])
  const packages = new Set<string>()
  return services.map((managed) => {
    const { name, settings, directory } = managed.service
    const files = managed.files.map((file) => resourceOf(file, directory, contents))
    const units = unitResources(managed)
    return {
      name,
      after: settings.after.filter((earlier) => names.has(earlier)),
      resources: [
        ...settings.packages.flatMap((wanted) => packageResource(wanted, packages)),
        ...[...settings.directories].map(([path, wanted]) => directoryResource({ path, directory }, wanted, targets)),
        ...files,
        ...units,
        ...composeResource(managed, files, contents.logins.get(name) ?? []),
      ],
      validate: settings.validate,
      triggers: triggersOf(managed.files, units),
      checks: settings.checks,
      settleSeconds: settings.settle,
      onDrift: settings.onDrift ?? onDrift,
      onRemove: settings.onRemove,
    }
  })
}

/** Whoever else names it wants the same version and hold: repository/claims.ts sees to that. */
function packageResource(wanted: PackageSettings, seen: Set<string>): readonly PackageResource[] {
  if (seen.has(wanted.name)) return []
  seen.add(wanted.name)
  return [{ kind: 'package', id: resourceId('package', wanted.name), ...wanted }]
}

function directoryResource(
  { path, directory }: { readonly path: AbsolutePath; readonly directory: string },
  { mode, owner, group, purge, onDrift }: DirectorySettings,
  targets: readonly AbsolutePath[],
): DirectoryResource {
  const below = `${path}/`
  const inside = purge ? targets.filter((target) => target.startsWith(below)) : []
  const keep = new Set(inside.map((target) => target.slice(below.length).split('/', 1)[0] ?? ''))
  const source = `${directory}/service.yaml`
  return {
    kind: 'directory',
    id: resourceId('directory', path),
    path,
    source,
    mode,
    owner,
    group,
    purge,
    keep: [...keep].toSorted(),
    ...(onDrift === undefined ? {} : { onDrift }),
  }
}

function resourceOf(file: ManagedFile, directory: string, contents: Contents): FileResource | SymlinkResource {
  const { id, target: path, source } = file
  if (file.kind === 'symlink') return { kind: 'symlink', id, path, source, target: file.link }
  const { owner, group, validate, mode, onDrift, acl, capabilities } = file.settings
  const content = contentOf(file, contents)
  const judged = contents.judged.get(source)
  return {
    kind: 'file',
    id,
    path,
    source,
    ...content,
    mode: mode ?? defaultMode(file.executable && !source.startsWith(`${directory}/units/`), content.secrets),
    owner,
    group,
    ...(validate === undefined ? {} : { validate }),
    ...(onDrift === undefined ? {} : { onDrift }),
    ...(acl === undefined ? {} : { acl }),
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(judged === undefined ? {} : { judged }),
  }
}

/** git's own mode bits; but what holds a secret is root's alone unless service.yaml gives it a mode. */
function defaultMode(executable: boolean, secrets: readonly string[]): number {
  if (secrets.length > 0) return executable ? 0o700 : 0o600
  return executable ? 0o755 : 0o644
}

function contentOf(
  { source, oid }: { readonly source: string; readonly oid: string },
  { digests, renderings }: Contents,
): Pick<FileResource, 'content' | 'sha256' | 'size' | 'secrets'> {
  const rendering = renderings.get(source)
  if (rendering !== undefined) {
    const { bytes, sha256, secrets, templateLines } = rendering
    const lines = templateLines === undefined ? {} : { templateLines }
    return { content: { kind: 'rendered', bytes, ...lines }, sha256, size: bytes.byteLength, secrets }
  }
  const digest = digests.get(oid)
  if (digest === undefined)
    throw new PlumbError({ code: 'internal', message: `The object ${oid} was not read.`, where: { file: source } })
  return { content: { kind: 'blob', oid }, sha256: digest.sha256, size: digest.size, secrets: none }
}

const none: readonly string[] = []

function composeResource(
  { service, files, project }: ManagedService,
  resources: readonly (FileResource | SymlinkResource)[],
  registries: readonly RegistryLogin[],
): readonly ComposeResource[] {
  if (project === undefined) return []
  const contents = resources.map((file, index) => [
    files[index]?.inProject === true ? file.path.slice(project.directory.length) : `host:${file.path}`,
    file.kind,
    file.kind === 'file' ? judgedDigest(file) : file.target,
  ])
  const name = service.name.toLowerCase()
  return [
    {
      kind: 'compose',
      id: resourceId('compose', name),
      project: name,
      ...project,
      sha256: sha256Of(JSON.stringify(contents.toSorted())),
      files: resources.flatMap((file) => (file.kind === 'file' ? [projectFile(file)] : [])),
      state: service.settings.compose?.state ?? 'running',
      registries,
      allowMounts: service.settings.compose?.allowMounts ?? [],
    },
  ]
}

function projectFile({ path, sha256, judged }: FileResource): ProjectFile {
  return { path, sha256, ...(judged === undefined ? {} : { judged }) }
}

/** Each action once, with every file it is for. A file's own triggers stand in for the implied ones. */
function triggersOf(files: readonly ManagedFile[], units: readonly UnitResource[]): readonly Trigger[] {
  const byAction = new Map<string, { readonly on: ResourceId[]; readonly action: TriggerAction }>()
  for (const file of files) {
    const own = file.settings.triggers
    for (const action of own.length > 0 ? own : impliedTriggers(file, units)) {
      const key = JSON.stringify(action)
      const trigger = byAction.get(key) ?? { on: [], action }
      trigger.on.push(file.id)
      byAction.set(key, trigger)
    }
  }
  return [...byAction.values()]
}
