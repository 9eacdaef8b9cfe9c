// Desired resources: what a revision says a host has. Made by desire/, read by every later stage.
import type { DriftPolicy } from './drift-policy.ts'
import type { AbsolutePath, HostName, ResourceId, Revision, ServiceName, Sha256 } from './names.ts'
import type { Problem } from './problem.ts'
import type { JobAtStart } from './repository/timer-start.ts'

/** Where a file's bytes come from; `rendered` ones went through a template and may hold secrets, so they stay in memory. */
export type ContentSource =
  | { readonly kind: 'blob'; readonly oid: string }
  | {
      readonly kind: 'rendered'
      readonly bytes: Uint8Array
      /** The template's line behind each line; absent when they are the same, as where no value has several lines. */
      readonly templateLines?: readonly number[]
    }

/** `onDrift` absent: the service's policy. */
type OwnPolicy = { readonly onDrift?: DriftPolicy }

/** A file is judged by what it says; `ignore` and `unordered` are JSON pointers, in which `*` stands for every key or item. */
export type CompareRules = {
  readonly as: 'json' | 'yaml'
  readonly ignore: readonly string[]
  readonly unordered: readonly string[]
}

export type FileResource = OwnPolicy & {
  readonly kind: 'file'
  readonly id: ResourceId
  readonly path: AbsolutePath
  /** Path inside the repository. */
  readonly source: string
  readonly content: ContentSource
  readonly sha256: Sha256
  /** Bytes. */
  readonly size: number
  /** Permission bits, `0o644`. */
  readonly mode: number
  readonly owner: string
  readonly group: string
  /** Absent: not looked at. */
  readonly acl?: readonly string[]
  readonly capabilities?: string
  /** Run by `sh -c` on the staged file before it goes live; `{}` stands for the staged file's path. */
  readonly validate?: string
  /** Names of the secrets whose values the content holds; their values are masked in every diff. */
  readonly secrets: readonly string[]
  /** Whether its content is shown where it differs; absent: when other users can read it. */
  readonly diff?: boolean
  /** Not by its bytes. */
  readonly judged?: JudgedContent
}

/** `meaning`: a digest, equal for what says the same; without it the content is too much to be judged so. */
export type JudgedContent = { readonly rules: CompareRules; readonly meaning?: Sha256; readonly reason?: string }

export type SymlinkResource = {
  readonly kind: 'symlink'
  readonly id: ResourceId
  readonly path: AbsolutePath
  readonly source: string
  readonly target: string
}

export type DirectoryResource = OwnPolicy & {
  readonly kind: 'directory'
  readonly id: ResourceId
  readonly path: AbsolutePath
  readonly source: string
  readonly mode: number
  readonly owner: string
  readonly group: string
  readonly purge: boolean
  /** With purge: the names in this directory that some service of this host has; every other entry is drift. */
  readonly keep: readonly string[]
}

export type PackageSettings = {
  readonly name: string
  /** `2.6.2-5`, or a pattern such as `2.6.*`; any version without it. */
  readonly version?: string
  /** Kept from being changed by others than Plumbline; without it, a hold on the host is not looked at. */
  readonly hold?: boolean
}

export type PackageResource = PackageSettings & { readonly kind: 'package'; readonly id: ResourceId }

export type UnitResource = OwnPolicy & {
  readonly kind: 'unit'
  readonly id: ResourceId
  /** With its suffix: `caddy.service`. */
  readonly name: string
  readonly enabled?: boolean
  readonly state?: 'running' | 'stopped'
  /** Stopped too, and neither enabled nor disabled. */
  readonly masked?: true
  /** The unit file this revision brings, when the unit comes from units/ and not from a package. */
  readonly file?: ResourceId
  /** Of a quadlet, the networks and volumes of the repository that it uses, as they are to be. */
  readonly objects?: readonly EngineObject[]
  /** Of a quadlet, or of a unit that requires one: what its first start makes of podman's. */
  readonly makes?: readonly MadeObject[]
  /** Of a quadlet: by the path in its container, the volume or path of the host that is mounted there. */
  readonly mounts?: Readonly<Record<string, string>>
  /** Of a quadlet with mounts: of what its containers are made. */
  readonly image?: string
  /** Paths and volumes that its containers may have mounted now and not after an apply. */
  readonly moveMounts?: readonly string[]
  /** Of a timer, what its own start may start. */
  readonly startsJob?: JobAtStart
  /** Below /etc/systemd/system, what enables it by its [Install] section, where that can be told. */
  readonly links?: readonly string[]
}

/** A network or volume of podman by its name. */
export type MadeObject = Pick<EngineObject, 'kind' | 'name' | 'madeBy'>

/** A network or volume of a container engine. */
export type EngineObject = {
  readonly kind: 'network' | 'volume'
  readonly name: string
  /** By setting, such as `subnet` or `option parent`; one that is not in it is left to the engine. */
  readonly settings: ReadonlyMap<string, readonly string[]>
  /** Of a quadlet: the unit that makes it where it is missing. */
  readonly madeBy?: string
}

export type ComposeResource = {
  readonly kind: 'compose'
  readonly id: ResourceId
  /** The compose project's name (repository/compose-project.ts). */
  readonly project: string
  /** Where its files are; what containers write below it is theirs. */
  readonly directory: AbsolutePath
  readonly file: AbsolutePath
  /** Further compose files, each overriding the ones before it. */
  readonly overrides?: readonly AbsolutePath[]
  /** SHA-256 over path and content of every file of the service: a change means `compose up`, which may find nothing to do. */
  readonly sha256: Sha256
  /** Every file of the service, and those of others that the project reads, in the project directory or elsewhere: a container that mounts one is made anew when it changes. */
  readonly files: readonly ProjectFile[]
  readonly state: 'running' | 'stopped'
  /** For the time of a deployment; passwords stay in memory. */
  readonly registries: readonly RegistryLogin[]
  /** Sources of mounts that are refused otherwise. */
  readonly allowMounts: readonly AbsolutePath[]
  /** Other power over the host that is refused otherwise: `privileged`, `cap:NET_ADMIN`. */
  readonly allow: readonly string[]
  /** Paths and volumes that containers may have mounted now and not after an apply. */
  readonly moveMounts: readonly string[]
  /** The project whose containers may be removed for this one. */
  readonly replaceProject?: string
}

export type RegistryLogin = {
  readonly host: string
  readonly username: string
  readonly password: string
  /** The name of the secret that the password is. */
  readonly secret: string
}

export type ProjectFile = { readonly path: AbsolutePath; readonly sha256: Sha256; readonly judged?: JudgedContent }

/** What a change of the file is for who reads it: of its bytes, or of what it says. */
export function judgedDigest({ sha256, judged }: Pick<ProjectFile, 'sha256' | 'judged'>): Sha256 {
  return judged?.meaning ?? sha256
}

export type Resource =
  | FileResource
  | SymlinkResource
  | DirectoryResource
  | PackageResource
  | UnitResource
  | ComposeResource

export type ResourceKindName = Resource['kind']

/** Asked of thousands of ids: it takes none apart. */
export function isOfKind(id: string, ...kinds: readonly ResourceKindName[]): boolean {
  return kinds.some((kind) => id.startsWith(kind) && id[kind.length] === ':')
}

/** Names of the secrets whose values the resource holds. */
export function secretsIn(resource: Resource | undefined): readonly string[] {
  if (resource?.kind === 'file') return resource.secrets
  return resource?.kind === 'compose' ? resource.registries.map(({ secret }) => secret) : []
}

/** `reload-or-restart`: the agent decides it when the files are in place, by what the unit holds (host/triggers.ts). */
export type UnitTrigger = { readonly kind: 'reload' | 'restart' | 'reload-or-restart'; readonly unit: string }

export type TriggerAction = UnitTrigger | { readonly kind: 'run'; readonly command: string }

/** Fires once in an apply when any of `on` was changed by it. */
export type Trigger = {
  readonly on: readonly ResourceId[]
  readonly action: TriggerAction
  /** The unit is another service's, and reads the files: where that service restarts it later in the same apply, once is enough. */
  readonly isOfReader?: true
  /** Of a quadlet: the unit is made of it, so that for a new one only a unit that ran before it is restarted. */
  readonly isGenerated?: true
}

export type Check =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'tcp'; readonly address: string }
  | { readonly kind: 'unit'; readonly unit: string }
  | { readonly kind: 'run'; readonly command: string }

/** A resource of the service that cannot be made out on this host now. The service still owns it. */
export type WithheldResource = { readonly id: ResourceId; readonly path?: AbsolutePath }

/** What of a service depends on something that this host lacks, such as a secret, and why. */
export type Withheld = { readonly resources: readonly WithheldResource[]; readonly problems: readonly Problem[] }

export type DesiredService = {
  readonly name: ServiceName
  readonly after: readonly ServiceName[]
  readonly resources: readonly Resource[]
  /** Absent: everything could be rendered. Otherwise the service is compared as far as possible, and not applied. */
  readonly withheld?: Withheld
  /** Run by `sh -c` when files changed, once all of them are in place and before anything reads them. */
  readonly validate: readonly string[]
  readonly triggers: readonly Trigger[]
  readonly checks: readonly Check[]
  /** How long what an apply started must stay up; 0: not looked at. */
  readonly settleSeconds: number
  readonly onDrift: DriftPolicy
  readonly onRemove: 'delete' | 'restore' | 'keep'
}

/** Everything that the service owns, also what is withheld: nothing of it is removed. */
export function claimsOf({ resources, withheld }: DesiredService): readonly (Resource | WithheldResource)[] {
  return withheld === undefined ? resources : [...resources, ...withheld.resources]
}

export type DesiredHost = {
  readonly host: HostName
  readonly revision: Revision
  /** In the order they are applied: every service stands behind those it is `after`. */
  readonly services: readonly DesiredService[]
  readonly syncEverySeconds: number
  readonly checkEverySeconds: number
  /** How long an apply may leave the host without server and remote before it is undone; 0: as long as it likes. */
  readonly connectivityGuardSeconds: number
}
