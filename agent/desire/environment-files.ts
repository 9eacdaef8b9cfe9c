// Which files of a fleet are read as files of environment variables, and by whom: systemd, compose and podman each have a syntax.
import { posix } from 'node:path'
import { readEnvironment } from '../../shared/repository/compose-environment.ts'
import { interpolate } from '../../shared/repository/compose-variables.ts'
import { unitSettings } from '../../shared/repository/unit-settings.ts'
import { composeYamlRules, readYaml } from '../../shared/repository/yaml.ts'
import type { RevisionReader } from '../sync/revision.ts'
import type { Reader } from './exact-values.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import { meantBy, pathNamedInUnit } from './named-paths.ts'

export type EnvironmentReader = Extract<Reader, 'environment' | 'unit-environment' | 'raw-environment'>

type Named = { readonly path: string; readonly reader: EnvironmentReader }

/** By path on the host. Templates among units and compose files are read as they are written. */
export async function environmentReaders(
  services: readonly ManagedService[],
  reader: RevisionReader,
): Promise<ReadonlyMap<string, readonly EnvironmentReader[]>> {
  const naming = services.flatMap((managed) =>
    managed.files.flatMap((file) => (file.kind === 'file' && isNaming(file, managed) ? [{ file, managed }] : [])),
  )
  const contents = naming.length === 0 ? [] : await reader.readMany(naming.map(({ file }) => file.oid))
  const texts = new Map(naming.map(({ file }, index) => [file.target as string, textOf(contents[index])]))
  const named = naming.flatMap(({ file, managed }) => {
    const text = texts.get(file.target) ?? ''
    if (!file.inProject) return namedInUnit(text, file.target)
    const own = texts.get(`${managed.project?.directory}/.env`) ?? ''
    return isCompose(file) ? namedInCompose(interpolated(text, own), file, managed) : []
  })
  const sorted = services.flatMap(({ files }) => files.map(({ target }) => target as string)).toSorted(byCharacters)
  const found = new Map<string, readonly EnvironmentReader[]>()
  for (const { path, reader: readBy } of named)
    for (const target of meantBy({ path, isExact: true }, sorted))
      found.set(target, [...new Set([...(found.get(target) ?? []), readBy])])
  return found
}

/** A file that names thousands of others is a table, not a unit. */
const readAtMostBytes = 256 * 1024

function textOf(content: Uint8Array | undefined): string {
  return content === undefined || content.byteLength > readAtMostBytes ? '' : Buffer.from(content).toString()
}

function isNaming(file: ManagedFile, { project }: ManagedService): boolean {
  if (file.inProject) return project !== undefined && (isCompose(file) || file.target.endsWith('/.env'))
  return /^\/(?:etc|run|usr\/lib|lib)\/(?:systemd\/system|containers\/systemd)\//.test(file.target)
}

function isCompose({ target }: ManagedFile): boolean {
  return /\.ya?ml$/.test(target)
}

/** In a quadlet the settings of its container are podman's, those of its service systemd's. */
function namedInUnit(text: string, target: string): readonly Named[] {
  return unitSettings(text).flatMap(({ section, key, value }) => {
    if (key !== 'EnvironmentFile' || value === '') return []
    const path = pathNamedInUnit(value.replace(/^-/, '').replaceAll('"', ''), target)
    const reader = section === 'Container' ? ('raw-environment' as const) : ('unit-environment' as const)
    return [{ path: posix.resolve(posix.dirname(target), path), reader }]
  })
}

function interpolated(text: string, environment: string): string {
  return interpolate(text, readEnvironment(environment).values).text
}

function namedInCompose(text: string, { target }: ManagedFile, { project }: ManagedService): readonly Named[] {
  const { value } = readYaml('compose.yaml', text, composeYamlRules)
  const directories = [...new Set([posix.dirname(target), project?.directory ?? '/'])]
  return Object.values(fieldsOf(fieldsOf(value)['services'])).flatMap((service) =>
    listOf(fieldsOf(service)['env_file']).flatMap((each): readonly Named[] => {
      const { path, format } = typeof each === 'string' ? { path: each, format: '' } : fieldsOf(each)
      const reader = format === 'raw' ? ('raw-environment' as const) : ('environment' as const)
      return typeof path === 'string'
        ? directories.map((directory) => ({ path: posix.resolve(directory, path), reader }))
        : []
    }),
  )
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
}

function byCharacters(one: string, other: string): number {
  return one < other ? -1 : 1
}
