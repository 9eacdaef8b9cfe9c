// What a compose file gives containers that makes them root on the host, unless service.yaml allows it by name: hosts refuse it. Pure.
import { posix } from 'node:path'
import type { Problem } from '../../../shared/problem.ts'
import {
  allowLine,
  furtherPathsOf,
  networkPowers,
  powersOf,
  volumePowers,
} from '../../../shared/repository/compose-power.ts'
import { invalid } from '../../../shared/repository/invalid.ts'
import { mountDanger } from '../../../shared/repository/mount-danger.ts'
import { type Fields, fieldsOf, fromHome, isKnown, listOf, type Named, namedIn, sectionsOf, textOf } from './model.ts'
import { type ComposeProject, type ExtendedFile, placeOf, type ReadFile } from './project.ts'

export function powerProblems(project: ComposeProject): readonly Problem[] {
  const { service, project: placed } = project.source.managed
  const { allow = [], allowMounts = [] } = service.settings.compose ?? {}
  const sections = withHome(sectionsOf(project.files)) as Fields
  return [...project.files, ...project.extended].flatMap((file) =>
    servicesOf(file).flatMap(({ name, fields, path }) => {
      const given = [
        ...powersOf(fields),
        ...networkPowers(fields, fieldsOf(sections['networks'])),
        ...volumePowers(fields, fieldsOf(sections['volumes'])),
      ]
      const powers = given.filter(({ allowance }) => isKnown(allowance) && !allow.includes(allowance))
      const further = furtherPathsOf(fields, sections).filter(isKnown).map(normal)
      const mounts = [...new Set([...mountSources(fields), ...further])].filter(
        (each) => !allowMounts.some((allowed) => allowed === each),
      )
      const dangerous = mounts.flatMap((each) => {
        const why = mountDanger(each, placed?.directory)
        return why === undefined ? [] : [{ path: each, why }]
      })
      if (powers.length + dangerous.length === 0) return []
      const texts = [
        ...dangerous.map(({ path: each, why }) => `${further.includes(each) ? 'gets at' : 'mounts'} ${each}: ${why}`),
        ...powers.map(({ written, why }) => `has ${written}: ${why}`),
      ]
      const line = allowLine(
        powers.length === 0 ? [] : [...allow, ...powers.map(({ allowance }) => allowance)],
        dangerous.length === 0 ? [] : [...allowMounts, ...dangerous.map((one) => one.path)],
      )
      const remedy = `If that is meant, say so in service.yaml: ${line}`
      return [
        invalid(`${name} ${texts.join('; ')}`, placeOf(file, path), {
          code: 'unsafe-path',
          service: service.name,
          remedy,
        }),
      ]
    }),
  )
}

function servicesOf(file: ReadFile | ExtendedFile): readonly Named[] {
  const all = namedIn(file.root, 'services').map((one) => ({ ...one, fields: withHome(one.fields) as Fields }))
  return 'services' in file ? all.filter(({ name }) => file.services.has(name)) : all
}

/** With paths in the home directory as compose makes them. */
function withHome(value: unknown): unknown {
  if (typeof value === 'string') return fromHome(value)
  if (Array.isArray(value)) return value.map(withHome)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withHome(inner)]))
}

/** Absolute ones: what is relative is in the project's directory, or refused for leaving it. */
function mountSources(fields: Fields): readonly string[] {
  return listOf(fields['volumes']).flatMap((volume) => {
    const short = textOf(volume)
    const mount = fieldsOf(volume)
    const source =
      short === undefined ? (mount['type'] === 'bind' ? textOf(mount['source']) : undefined) : short.split(':')[0]
    return source?.startsWith('/') && isKnown(source) && (short === undefined || short.includes(':'))
      ? [normal(source)]
      : []
  })
}

function normal(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/+$/, '')
}
