// The files of a service as they stand on a host: convention, settings of service.yaml, and the directory of a compose project.
import { type AbsolutePath, absolutePathSchema, type ResourceId, resourceId } from '../../shared/names.ts'
import type { ComposeLayout, Placed } from '../../shared/repository/layout.ts'
import type { RepositoryService } from '../../shared/repository/repository.ts'
import { defaultFileSettings, type FileSettings } from '../../shared/repository/service.ts'

export type ManagedFile = Placed<AbsolutePath> & {
  readonly id: ResourceId
  readonly settings: FileSettings
  readonly inProject: boolean
  /** Of a quadlet: the service that it names by `ServiceName=`. */
  readonly generates?: string
}

export type ManagedService = {
  readonly service: RepositoryService
  readonly files: readonly ManagedFile[]
  readonly project: Project | undefined
}

type Project = {
  readonly project: string
  readonly directory: AbsolutePath
  readonly file: AbsolutePath
  readonly overrides?: readonly AbsolutePath[]
}

export function managedService(service: RepositoryService): ManagedService {
  const onHost = service.files.map((file) => managed(file, settingsOf(service, file.target), false))
  const { compose, project } = service
  if (compose === undefined || project === undefined) return { service, files: onHost, project: undefined }
  const { directory } = project
  const [main = compose.file, ...others] = service.settings.compose?.files ?? []
  const overrides = others.map((file) => below(directory, file))
  return {
    service,
    files: [...onHost, ...projectFiles(service, compose, directory)],
    project: {
      project: project.name.name,
      directory,
      file: below(directory, main),
      ...(overrides.length === 0 ? {} : { overrides }),
    },
  }
}

export type Blob = { readonly oid: string; readonly source: string }

/** Of every plain file, templates included. */
export function blobsOf(services: readonly ManagedService[]): readonly Blob[] {
  return services.flatMap(({ files }) => files.flatMap((file) => (file.kind === 'file' ? [file] : [])))
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
