// Values of a service that compose refuses because they are of another type: a list, a map or a text is expected. Pure.
import type { Problem } from '../../../shared/problem.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import { type Fields, fieldsOf, isKnown, namedIn } from './model.ts'
import { type ComposeProject, placeOf, type ReadFile } from './project.ts'

type Shape = 'a list' | 'a map' | 'a list or a map' | 'a text'

export function misshapenServices(project: ComposeProject): readonly Problem[] {
  return project.files.flatMap((file) => {
    const services = Object.entries(fieldsOf(file.root['services']))
    const found = services.flatMap(([name, value]): readonly Misshapen[] => {
      const path: KeyPath = ['services', name]
      if (!serviceName.test(name) && isKnown(name))
        return [{ path, what: `the name of the service ${quoted(name)}`, expected: 'letters, digits, ., _ and -' }]
      if (isMap(value)) return ofService(value, path)
      return [{ path, what: `the service ${quoted(name)}`, expected: 'a map' }]
    })
    return found.map((one) => problem(one, { project, file }))
  })
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const serviceName = /^[a-zA-Z0-9._-]+$/

type Misshapen = { readonly path: KeyPath; readonly what: string; readonly expected: string }

function ofService(service: Fields, path: KeyPath): readonly Misshapen[] {
  const health = Object.entries(fieldsOf(service['healthcheck']))
  return [
    ...misshapenIn(Object.entries(service), path, shapes),
    ...misshapenIn(health, [...path, 'healthcheck'], healthShapes),
    ...unknownWords(service, path),
  ]
}

/** Docker knows no other policy, compose no other condition. */
function unknownWords(service: Fields, path: KeyPath): readonly Misshapen[] {
  const word = (value: unknown, at: KeyPath, known: RegExp, expected: string): readonly Misshapen[] =>
    typeof value !== 'string' || !isKnown(value) || known.test(value)
      ? []
      : [{ path: at, what: quoted(value), expected }]
  return [
    ...word(
      service['restart'],
      [...path, 'restart'],
      /^(?:|no|always|unless-stopped|on-failure(?::\d+)?)$/,
      'no, always, on-failure or unless-stopped',
    ),
    ...Object.entries(fieldsOf(service['depends_on'])).flatMap(([name, each]) =>
      word(
        fieldsOf(each)['condition'],
        [...path, 'depends_on', name, 'condition'],
        /^service_(?:started|healthy|completed_successfully)$/,
        'service_started, service_healthy or service_completed_successfully',
      ),
    ),
  ]
}

function misshapenIn(
  entries: readonly (readonly [string, unknown])[],
  path: KeyPath,
  expected: ReadonlyMap<string, Shape>,
): readonly Misshapen[] {
  return entries.flatMap(([key, value]) => {
    const shape = expected.get(key)
    return shape === undefined || isFitting(value, shape)
      ? []
      : [{ path: [...path, key], what: quoted(key), expected: shape === 'a text' ? 'a text, in quotes' : shape }]
  })
}

const inWords = (shape: Shape, keys: string) => keys.split(' ').map((key) => [key, shape] as const)

const shapes: ReadonlyMap<string, Shape> = new Map([
  ...inWords(
    'a list',
    'cap_add cap_drop configs device_cgroup_rules devices expose external_links group_add links ports profiles secrets security_opt volumes volumes_from',
  ),
  ...inWords('a map', 'healthcheck logging ulimits'),
  ...inWords('a list or a map', 'depends_on environment extra_hosts networks sysctls'),
  ...inWords(
    'a text',
    'container_name hostname image network_mode platform restart stop_grace_period user working_dir',
  ),
])

const healthShapes: ReadonlyMap<string, Shape> = new Map(
  inWords('a text', 'interval start_interval start_period timeout'),
)

/** What a variable or a template fills in is of any type. */
function isFitting(value: unknown, shape: Shape): boolean {
  if (value === undefined || (typeof value === 'string' && !isKnown(value))) return true
  if (shape === 'a text') return typeof value !== 'number' && typeof value !== 'boolean'
  // Of a key without a value, versions of compose differ in what they make.
  if (value === null) return true
  if (Array.isArray(value)) return shape !== 'a map'
  return typeof value === 'object' && shape !== 'a list'
}

type In = { readonly project: ComposeProject; readonly file: ReadFile }

function problem({ path, what, expected }: Misshapen, { project, file }: In): Problem {
  const { name: service } = project.source.managed.service
  return invalid(`compose refuses ${what}: expected ${expected}`, placeOf(file, path), { service })
}

/** Every service of the project has something to run, from whichever of its files. */
export function servicesWithoutImage(project: ComposeProject): readonly Problem[] {
  if (!project.isWhole) return []
  const all = project.files.flatMap((file) => namedIn(file.root, 'services').map((named) => ({ file, ...named })))
  return [...Map.groupBy(all, ({ name }) => name)].flatMap(([name, parts]) => {
    const [first] = parts
    const isRunnable = parts.some(({ fields }) =>
      ['image', 'build', 'extends', 'provider'].some((key) => key in fields),
    )
    const isShaped = parts.every(({ file }) => isMap(fieldsOf(file.root['services'])[name]))
    if (first === undefined || isRunnable || !isShaped) return []
    const message = `the service ${quoted(name)} has neither image nor build: compose refuses the project`
    return [invalid(message, placeOf(first.file, first.path), { service: project.source.managed.service.name })]
  })
}
