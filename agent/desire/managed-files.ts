// The files of a service as they stand on a host: convention, settings of service.yaml, and the root of compose projects.
import { type AbsolutePath, absolutePathSchema, type ResourceId, resourceId } from '../../shared/names.ts'
import type { ComposeLayout, Placed } from '../../shared/repository/layout.ts'
import type { RepositoryService } from '../../shared/repository/repository.ts'
import { defaultFileSettings, type FileSettings } from '../../shared/repository/service.ts'

export type ManagedFile = Placed<AbsolutePath> & {
  readonly id: ResourceId
  readonly settings: FileSettings
  readonly inProject: boolean
}

export type ManagedService = {
  readonly service: RepositoryService
  readonly files: readonly ManagedFile[]
  readonly project: Project | undefined
}

type Project = { readonly directory: AbsolutePath; readonly file: AbsolutePath }

export function managedService(service: RepositoryService, composeRoot: AbsolutePath): ManagedService {
  const onHost = service.files.map((file) => managed(file, settingsOf(service, file.target), false))
  const { compose } = service
  if (compose === undefined) return { service, files: onHost, project: undefined }
  const directory = below(composeRoot, service.name)
  return {
    service,
    files: [...onHost, ...projectFiles(service, compose, directory)],
    project: { directory, file: below(directory, compose.file) },
  }
}

function projectFiles(service: RepositoryService, compose: ComposeLayout, directory: AbsolutePath) {
  return compose.files.map((file) =>
    managed({ ...file, target: below(directory, file.target) }, settingsOf(service, file.target), true),
  )
}

function managed(file: Placed<AbsolutePath>, settings: FileSettings, inProject: boolean): ManagedFile {
  return { ...file, id: resourceId(file.kind, file.target), settings, inProject }
}

function settingsOf(service: RepositoryService, key: string): FileSettings {
  return service.settings.files.get(key) ?? defaultFileSettings
}

function below(directory: AbsolutePath, path: string): AbsolutePath {
  return absolutePathSchema.parse(`${directory}/${path}`)
}
