// A fake of docker with compose: compose files are JSON (which YAML contains), images are always there, and a container
// remembers what its mounted files said when it was started.
import { hash } from 'node:crypto'
import { z } from 'zod'
import { type Answer, type FakeHost, type FakeProgram, refused, said, textAt } from './fake-host.ts'

export type FakeContainer = {
  readonly id: string
  readonly project: string
  readonly service: string
  readonly image: string
  readonly configHash: string
  readonly file: string
  /** The label for its mounted files. */
  readonly files: string
  readonly volumes: readonly { readonly source: string; readonly target: string }[]
  /** What was in them when it was started. */
  saw: string
  state: 'running' | 'exited'
  /** Of one that ended with an error. */
  exitCode?: number
  /** Number of its start. */
  start: number
}

const serviceSchema = z.looseObject({
  image: z.string(),
  volumes: z.array(z.object({ source: z.string(), target: z.string() }).loose()).default([]),
  labels: z.record(z.string(), z.string()).default({}),
})
const modelSchema = z.looseObject({ services: z.record(z.string(), serviceSchema) })
const labelsSchema = z.object({
  services: z.record(z.string(), z.object({ labels: z.record(z.string(), z.string()) })),
})

type Model = z.infer<typeof modelSchema>

const filesLabel = 'plumbline.files'
const version = '2.40.0'

export const docker: FakeProgram = (host, args, stdin) => {
  const [verb = '', ...rest] = args
  if (verb === '--version') return said('Docker version 28.5.0, build fake')
  if (verb === 'ps') return ps(host, optionOf(rest, '--format'))
  if (verb === 'inspect') return inspect(host, rest)
  if (verb === 'image') return said(imageId(rest.at(-1) ?? ''))
  if (verb === 'volume') return said()
  if (verb === 'stop' || verb === 'rm') return each(host, verb, rest.slice(rest.indexOf('--') + 1))
  if (verb === 'logs') return said('the log of a fake container')
  return verb === 'compose' ? compose(host, rest, stdin) : refused(`fake docker: no verb ${verb}`, 64)
}

function compose(host: FakeHost, args: readonly string[], stdin: string): Answer {
  const project = optionOf(args, '--project-name') || optionOf(args, '-p')
  const file = optionOf(args, '--file') || optionOf(args, '-f')
  if (args.includes('version')) return said(version)
  if (args.includes('down')) return down(host, project)
  if (args.includes('stop')) return stop(host, project)
  const written = modelIn(file === '-' ? stdin : composeFile(host, file))
  const model = written && withoutProfiles(written)
  if (written === undefined || model === undefined) return refused(`${file}: no such file or no compose file`)
  if (args.includes('--hash')) return said(hashesOf(model))
  if (args.includes('config')) return said(JSON.stringify(model))
  if (!args.includes('up')) return refused(`fake docker compose: ${args.join(' ')}`, 64)
  const labelled = stdin === '' || file === '-' ? model : withLabels(model, stdin)
  if (args.includes('--dry-run')) return dryRun(host, project, labelled)
  const chosen = args.includes('--') ? args.slice(args.indexOf('--') + 1) : undefined
  const isAnew = args.includes('--force-recreate')
  return up(host, { project, file, model: labelled, written, chosen }, isAnew ? (chosen ?? []) : [])
}

function each(host: FakeHost, verb: 'stop' | 'rm', ids: readonly string[]): Answer {
  for (const id of ids) {
    const container = host.containers.get(id)
    if (container === undefined) return refused(`No such container: ${id}`)
    if (verb === 'stop') container.state = 'exited'
    else {
      host.log.push(`compose up ${container.project}: remove ${container.service}`)
      host.containers.delete(id)
    }
  }
  return said()
}

type Up = {
  readonly project: string
  readonly file: string
  readonly model: Model
  /** With services of profiles, which compose never removes. */
  readonly written: Model
  /** Services; undefined: all. */
  readonly chosen?: readonly string[] | undefined
}

function up(host: FakeHost, { project, file, model, written, chosen }: Up, anew: readonly string[]): Answer {
  const own = [...host.containers.values()].filter((container) => container.project === project)
  const changed: string[] = []
  for (const { id, service } of own) {
    if (Object.hasOwn(written.services, service)) continue
    host.containers.delete(id)
    changed.push(`remove ${service}`)
  }
  for (const [service, declared] of Object.entries(model.services)) {
    if (chosen?.includes(service) === false) continue
    const there = own.find((container) => container.service === service)
    const configHash = hashOf(declared)
    if (there?.configHash === configHash && !anew.includes(service)) {
      if (there.state !== 'running') {
        changed.push(`start ${service}`)
        start(host, there, declared)
      }
      continue
    }
    if (there !== undefined) host.containers.delete(there.id)
    const id = hash('sha256', `${host.made.count}`, 'hex')
    const { image, labels, volumes } = declared
    const about = { id, project, service, image, configHash, file, files: labels[filesLabel] ?? '', volumes, saw: '' }
    const container: FakeContainer = { ...about, state: 'exited', start: 0 }
    host.containers.set(id, container)
    start(host, container, declared)
    changed.push(`${there === undefined ? 'make' : 'remake'} ${service}`)
  }
  host.log.push(`compose up ${project}: ${changed.toSorted().join(', ') || 'nothing'}`)
  return said()
}

function start(host: FakeHost, container: FakeContainer, { volumes }: z.infer<typeof serviceSchema>): void {
  host.made.count += 1
  container.saw = volumes.map(({ source }) => textAt(host, source) ?? '').join('\n')
  container.state = 'running'
  container.start = host.made.count
}

/** In compose's own words, which it says on the error stream. */
function dryRun(host: FakeHost, project: string, { services }: Model): Answer {
  const own = [...host.containers.values()].filter((container) => container.project === project)
  const lines = own.map((container) => {
    const declared = services[container.service]
    const isSame = declared !== undefined && hashOf(declared) === container.configHash
    return `Container ${nameOf(container)}  ${isSame ? 'Running' : 'Recreate'}\n`
  })
  return { code: 0, stdout: '', stderr: lines.join('') }
}

function down(host: FakeHost, project: string): Answer {
  host.log.push(`compose down ${project}`)
  for (const [id, container] of host.containers) if (container.project === project) host.containers.delete(id)
  return said()
}

function stop(host: FakeHost, project: string): Answer {
  host.log.push(`compose stop ${project}`)
  for (const container of host.containers.values()) if (container.project === project) container.state = 'exited'
  return said()
}

function ps(host: FakeHost, format: string): Answer {
  const lines = [...host.containers.values()].map((container) => psLine(container, format))
  return said(lines.join('\n'))
}

function inspect(host: FakeHost, args: readonly string[]): Answer {
  const format = optionOf(args, '--format')
  const known = args.slice(args.indexOf('--') + 1).flatMap((id) => host.containers.get(id) ?? [])
  return said(known.map((container) => inspected(container, format)).join('\n'))
}

function inspected(container: FakeContainer, format: string): string {
  const fields: Readonly<Record<string, string>> = {
    Id: container.id,
    Name: `/${nameOf(container)}`,
    Image: imageId(container.image),
    'Config.Image': container.image,
    RestartCount: '0',
    // No process stands behind a fake container whose mounts could be looked at.
    'State.Pid': '0',
    'State.Status': container.state,
    'State.ExitCode': String(container.exitCode ?? 0),
    'State.StartedAt': String(container.start),
  }
  const mounts = container.volumes.map(({ source, target }) => ({ Type: 'bind', Source: source, Destination: target }))
  const objects: Readonly<Record<string, unknown>> = {
    Mounts: mounts,
    HostConfig: { Mounts: null },
    'State.StartedAt': String(container.start),
  }
  return format
    .replace(/\{\{json \.([\w.]+)\}\}/g, (asked, field: string) => known(objects, field, asked, JSON.stringify))
    .replace(/\{\{\.([\w.]+)\}\}/g, (asked, field: string) => known(fields, field, asked, String))
}

/** Throws when the agent asks for a field that the fake does not have: an empty answer would hide it. */
function known<T>(
  fields: Readonly<Record<string, T>>,
  field: string,
  asked: string,
  text: (value: T | undefined) => string,
): string {
  if (!(field in fields)) throw new Error(`the fake docker has no ${asked} of a container`)
  return text(fields[field])
}

/** Each name is of one image for ever. */
function imageId(name: string): string {
  return `sha256:${hash('sha256', name, 'hex')}`
}

function psLine(container: FakeContainer, format: string): string {
  const fields: Readonly<Record<string, string>> = {
    ID: container.id,
    Names: nameOf(container),
    State: container.state,
    Status: container.state === 'running' ? 'Up 2 seconds' : `Exited (${container.exitCode ?? 0}) 2 seconds ago`,
    Image: container.image,
  }
  const labels: Readonly<Record<string, string>> = {
    'com.docker.compose.project': container.project,
    'com.docker.compose.service': container.service,
    'com.docker.compose.config-hash': container.configHash,
    'com.docker.compose.oneoff': 'False',
    'com.docker.compose.version': version,
    'com.docker.compose.project.config_files': container.file,
    [filesLabel]: container.files,
  }
  return format
    .replace(/\{\{\.Label "([^"]+)"\}\}/g, (_, label: string) => labels[label] ?? '')
    .replace(/\{\{\.(\w+)\}\}/g, (_, field: string) => fields[field] ?? '')
}

function nameOf({ project, service }: FakeContainer): string {
  return `${project}-${service}-1`
}

/** What a plan has staged lies outside of the host's root. */
function composeFile(host: FakeHost, path: string): string | undefined {
  return path.includes('/plumb-plan-') ? textAt({ ...host, root: '/' }, path) : textAt(host, path)
}

function modelIn(text: string | undefined): Model | undefined {
  try {
    return modelSchema.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}

/** None is ever active. */
function withoutProfiles(model: Model): Model {
  const active = Object.entries(model.services).filter(([, service]) => service['profiles'] === undefined)
  return { ...model, services: Object.fromEntries(active) }
}

/** The second compose file, on standard input. */
function withLabels(model: Model, stdin: string): Model {
  const { services } = labelsSchema.parse(JSON.parse(stdin))
  const labelled = Object.entries(model.services).map(([name, service]) => {
    const more = services[name]?.labels ?? {}
    return [name, { ...service, labels: { ...service.labels, ...more } }] as const
  })
  return { ...model, services: Object.fromEntries(labelled) }
}

function hashesOf({ services }: Model): string {
  return Object.entries(services)
    .map(([name, service]) => `${name} ${hashOf(service)}`)
    .join('\n')
}

function hashOf(service: Model['services'][string]): string {
  const entries = Object.entries(service).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return hash('sha256', JSON.stringify(entries), 'hex')
}

function optionOf(args: readonly string[], name: string): string {
  const at = args.indexOf(name)
  return at === -1 ? '' : (args[at + 1] ?? '')
}
