// The services of one host: their resources, what a change of these triggers, and their checks.
import { compact } from '../../shared/compact.ts'
import { type AbsolutePath, type ResourceId, resourceId } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { triggerOfChange } from '../../shared/repository/changed-unit.ts'
import { quadletAt } from '../../shared/repository/quadlet.ts'
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
  type SymlinkResource,
  type Trigger,
  type UnitResource,
} from '../../shared/resource.ts'
import { type Digests, sha256Of } from './digests.ts'
import type { JudgedContents } from './judged.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import type { Readings, ReadingUnit } from './readers.ts'
import type { RegistryLogins } from './registries.ts'
import type { Renderings } from './render.ts'
import { impliedTriggers, unitResources } from './units.ts'

export type Contents = {
  readonly digests: Digests
  readonly renderings: Renderings
  readonly readings: Readings
  /** By path inside the repository: why a template cannot be filled in on this host. */
  readonly withheld: ReadonlyMap<string, readonly Problem[]>
  readonly logins: RegistryLogins
  /** Passwords of registries that this host lacks. */
  readonly unreadable: readonly Problem[]
  /** Power over the host that quadlets give, and service.yaml does not allow. */
  readonly powers: readonly Problem[]
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
    const rendered = managed.files.filter(({ source }) => !contents.withheld.has(source))
    const files = rendered.map((file) => resourceOf(file, directory, contents))
    const read = (file: ManagedFile) => resourceOf(file, directoryOf(file.source), contents)
    const { moveMounts } = settings.quadlets
    const units = unitResources(managed).map((unit) => withRead(unit, contents.readings, moveMounts))
    const shared = contents.readings.shared.get(name) ?? []
    const isWhole = [...managed.files, ...shared].every(({ source }) => !contents.withheld.has(source))
    return {
      name,
      after: [...new Set([...settings.after, ...(contents.readings.after.get(name) ?? [])])].filter((earlier) =>
        names.has(earlier),
      ),
      resources: [
        ...settings.packages.flatMap((wanted) => packageResource(wanted, packages)),
        ...[...settings.directories].map(([path, wanted]) => directoryResource({ path, directory }, wanted, targets)),
        ...files,
        ...units,
        ...(isWhole ? composeResource(managed, { own: files, shared: shared.map(read) }, contents.logins) : []),
      ],
      ...withheldOf(managed, contents),
      validate: settings.validate,
      triggers: triggersOf(managed.files, units, contents.readings),
      checks: settings.checks,
      settleSeconds: settings.settle,
      onDrift: settings.onDrift ?? onDrift,
      onRemove: settings.onRemove,
    }
  })
}

function withRead(
  unit: UnitResource,
  { links, quadlets, jobs }: Readings,
  moveMounts: UnitResource['moveMounts'] = [],
): UnitResource {
  const own = links.get(unit.id)
  const uses = quadlets.get(unit.id)
  const startsJob = jobs.get(unit.id)
  const moving = uses?.mounts === undefined || moveMounts.length === 0 ? {} : { moveMounts }
  const job = startsJob === undefined ? {} : { startsJob }
  return { ...unit, ...uses, ...moving, ...job, ...compact({ links: own }) }
}

/** With the compose project: what it is made of is known only as a whole. */
function withheldOf({ service, files, project }: ManagedService, contents: Contents): Pick<DesiredService, 'withheld'> {
  const isWithheld = ({ source }: ManagedFile) => contents.withheld.has(source)
  const unfilled = files.filter(isWithheld)
  const foreign = (contents.readings.shared.get(service.name) ?? []).filter(isWithheld)
  const problems = [
    ...unfilled.flatMap(({ source }) => contents.withheld.get(source) ?? []),
    ...foreign
      .flatMap(({ source }) => contents.withheld.get(source) ?? [])
      .map((problem) => ({ ...problem, service: service.name })),
    ...[...contents.unreadable, ...contents.powers].filter((problem) => problem.service === service.name),
  ]
  if (problems.length === 0) return {}
  const own = unfilled.map(({ id, target }) => ({ id, path: target }))
  const isUnfilled = unfilled.length + foreign.length > 0
  const whole = isUnfilled && project !== undefined ? [{ id: resourceId('compose', project.project) }] : []
  return { withheld: { resources: [...own, ...whole], problems } }
}

/** Every service that names it wants the same version and hold: repository/claims.ts ensures that. */
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
    ...compact({ onDrift }),
  }
}

function resourceOf(file: ManagedFile, directory: string, contents: Contents): FileResource | SymlinkResource {
  const { id, target: path, source } = file
  if (file.kind === 'symlink') return { kind: 'symlink', id, path, source, target: file.link }
  const { owner, group, validate, mode, onDrift, acl, capabilities, diff } = file.settings
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
    ...compact({ validate, onDrift, acl, capabilities, diff, judged }),
  }
}

/** git's own mode bits; but what holds a secret is root's alone unless service.yaml gives it a mode. */
function defaultMode(executable: boolean, secrets: readonly string[]): number {
  if (secrets.length > 0) return executable ? 0o700 : 0o600
  return executable ? 0o755 : 0o644
}

function triggersOfReader({ unit, isOfAnother }: ReadingUnit): readonly Omit<Trigger, 'on'>[] {
  const action = triggerOfChange(unit)
  return action === undefined ? [] : [{ action, ...(isOfAnother ? { isOfReader: true } : {}) }]
}

function impliedBy(file: ManagedFile, units: readonly UnitResource[]): readonly Omit<Trigger, 'on'>[] {
  const isGenerated = quadletAt(file.target) !== undefined
  return impliedTriggers(file, units).map((action) => ({ action, ...(isGenerated ? { isGenerated } : {}) }))
}

/** `services/common` */
function directoryOf(source: string): string {
  return source.split('/').slice(0, 2).join('/')
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

/** The files that a project reads: all of its service, and those of others that its own name. */
type ProjectFiles = {
  readonly own: readonly (FileResource | SymlinkResource)[]
  readonly shared: readonly (FileResource | SymlinkResource)[]
}

function composeResource(
  { service, files, project }: ManagedService,
  { own, shared }: ProjectFiles,
  logins: RegistryLogins,
): readonly ComposeResource[] {
  if (project === undefined) return []
  const resources = [...own, ...shared]
  const contents = resources.map((file, index) => [
    files[index]?.inProject === true ? file.path.slice(project.directory.length) : `host:${file.path}`,
    file.kind,
    file.kind === 'file' ? judgedDigest(file) : file.target,
  ])
  const registries = logins.get(service.name) ?? []
  const { compose } = service.settings
  const order = project.overrides === undefined ? [] : [['files', ...project.overrides]]
  return [
    {
      kind: 'compose',
      id: resourceId('compose', project.project),
      ...project,
      sha256: sha256Of(JSON.stringify([...contents.toSorted(), ...order])),
      files: resources.flatMap((file) => (file.kind === 'file' ? [projectFile(file)] : [])),
      state: compose?.state ?? 'running',
      registries,
      allowMounts: compose?.allowMounts ?? [],
      allow: compose?.allow ?? [],
      moveMounts: compose?.moveMounts ?? [],
      ...compact({ replaceProject: compose?.replaceProject }),
    },
  ]
}

function projectFile({ path, sha256, judged }: FileResource): ProjectFile {
  return { path, sha256, ...compact({ judged }) }
}

/** Each action once, with every file it is for. A file's own triggers stand in for the implied ones of its service. */
function triggersOf(
  files: readonly ManagedFile[],
  units: readonly UnitResource[],
  readings: Readings,
): readonly Trigger[] {
  const byAction = new Map<string, Omit<Trigger, 'on'> & { readonly on: ResourceId[] }>()
  for (const file of files) {
    const own = file.settings.triggers
    const implied = own.length > 0 ? own.map((action) => ({ action })) : impliedBy(file, units)
    for (const wanted of [...implied, ...(readings.units.get(file.id) ?? []).flatMap(triggersOfReader)]) {
      const key = JSON.stringify(wanted)
      const trigger = byAction.get(key) ?? { on: [], ...wanted }
      if (!trigger.on.includes(file.id)) trigger.on.push(file.id)
      byAction.set(key, trigger)
    }
  }
  return [...byAction.values()]
}
