// What services of a compose project need of each other, where compose refuses it: circles, what is not active, what is not there. Pure.
import { posix } from 'node:path'
import type { Problem } from '../../../shared/problem.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import { suggestion } from '../../../shared/repository/nearest.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import { fieldsOf, isKnown, listOf, namedIn, textOf } from './model.ts'
import { activeProfiles } from './profiles.ts'
import { type ComposeProject, placeOf, type ReadFile } from './project.ts'

type Need = { readonly of: string; readonly on: string; readonly file: ReadFile; readonly path: KeyPath }

export function dependencyProblems(project: ComposeProject): readonly Problem[] {
  if (!project.isWhole) return []
  const needs = project.files.flatMap(needsIn)
  return [
    ...circles(project, needs),
    ...notActive(project, needs),
    ...project.files.flatMap((file) => extendedProblems(project, file)),
  ]
}

function needsIn(file: ReadFile): readonly Need[] {
  return namedIn(file.root, 'services').flatMap(({ name, fields, path }) =>
    dependenciesIn(fields['depends_on']).map((on) => ({ of: name, on, file, path: [...path, 'depends_on'] })),
  )
}

function dependenciesIn(value: unknown): readonly string[] {
  const names = Array.isArray(value)
    ? value.flatMap((each) => textOf(each) ?? [])
    : Object.entries(fieldsOf(value)).flatMap(([name, entry]) => (fieldsOf(entry)['required'] === false ? [] : [name]))
  return names.filter(isKnown)
}

/** Each circle once, where its first service needs the next. */
function circles(project: ComposeProject, needs: readonly Need[]): readonly Problem[] {
  const byService = Map.groupBy(needs, (need) => need.of)
  const done = new Set<string>()
  const found: Problem[] = []
  const follow = (service: string, way: readonly string[]) => {
    const from = way.indexOf(service)
    if (from !== -1) found.push(circle(project, [...way.slice(from), service], needs))
    if (from !== -1 || done.has(service) || way.length > depthLimit) return
    for (const { on } of byService.get(service) ?? []) follow(on, [...way, service])
    done.add(service)
  }
  for (const service of byService.keys()) follow(service, [])
  return found
}

/** Of services that wait for each other in a row. */
const depthLimit = 500

function circle({ source }: ComposeProject, names: readonly string[], needs: readonly Need[]): Problem {
  const need = needs.find(({ of, on }) => of === names[0] && on === names[1])
  const where = need === undefined ? { file: source.managed.service.directory } : placeOf(need.file, need.path)
  const message = `services wait for each other: ${names.join(' -> ')}; compose refuses the project`
  return invalid(message, where, { service: source.managed.service.name })
}

function notActive(project: ComposeProject, needs: readonly Need[]): readonly Problem[] {
  const active = activeProfiles(project.source)
  if (active === undefined || active.has('*')) return []
  const services = Map.groupBy(
    project.files.flatMap(({ root }) => namedIn(root, 'services')),
    ({ name }) => name,
  )
  const isOff = (name: string) => {
    const profiles = (services.get(name) ?? []).flatMap(({ fields }) => listOf(fields['profiles']))
    return profiles.length > 0 && profiles.every((each) => isKnown(String(each)) && !active.has(String(each)))
  }
  return needs.flatMap(({ of, on, file, path }) => {
    if (isOff(of) || !isOff(on)) return []
    const message = `${of} needs ${quoted(on)}, which is in a profile that is not active: compose refuses the project`
    const remedy = `Take \`profiles\` out of ${on}, or write COMPOSE_PROFILES into .env beside the compose file.`
    return [invalid(message, placeOf(file, path), { service: project.source.managed.service.name, remedy })]
  })
}

/** `extends: { file: base.yaml, service: app }`, `extends: app` */
function extendedProblems(project: ComposeProject, file: ReadFile): readonly Problem[] {
  return namedIn(file.root, 'services').flatMap(({ fields, path }) => {
    const { file: written, service } = fieldsOf(fields['extends'])
    const name = textOf(fields['extends']) ?? textOf(service)
    if (name === undefined || !isKnown(name)) return []
    const from = written === undefined ? file : extendedFile(project, file, textOf(written))
    if (from === undefined) return []
    const known = namedIn(from.root, 'services').map((one) => one.name)
    if (known.includes(name)) return []
    const message = `extends names the service ${quoted(name)}, which ${from.target} does not have`
    const remedy = suggestion(name, known, 'services')
    return [
      invalid(message, placeOf(file, [...path, 'extends']), { service: project.source.managed.service.name, remedy }),
    ]
  })
}

function extendedFile({ files, extended }: ComposeProject, from: ReadFile, written = ''): ReadFile | undefined {
  const target = posix.join(from.base, written)
  return [...extended, ...files].find((one) => one.target === target)
}
