// A revision, parsed: what both sides know of a repository.

import type { AbsolutePath, ServiceName } from '../names.ts'
import type { Place } from '../problem.ts'
import type { ProjectName } from './compose-project.ts'
import type { Fleet } from './fleet.ts'
import type { ServiceLayout } from './layout.ts'
import type { ServiceFile } from './service.ts'
import type { KeyPath } from './yaml.ts'

export type Repository = {
  readonly fleet: Fleet
  /** Alphabetically. */
  readonly services: ReadonlyMap<ServiceName, RepositoryService>
}

export type RepositoryProject = {
  readonly name: ProjectName
  /** On the host. */
  readonly directory: AbsolutePath
  /** The files that `docker compose` reads when a person runs it beside them. */
  readonly byHand: readonly string[]
}

export type RepositoryService = Omit<ServiceLayout, 'settings'> & {
  readonly settings: ServiceFile
  /** Of a service with a compose file. */
  readonly project?: RepositoryProject
  /** Where a key of service.yaml stands, for problems that later stages find. */
  settingsPlace(path: KeyPath, item?: string): Place
}
