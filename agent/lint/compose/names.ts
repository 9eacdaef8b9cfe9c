// Names that the compose projects of one host share with each other: projects, containers, external networks and volumes. Pure.
import type { ServiceName } from '../../../shared/names.ts'
import type { Problem } from '../../../shared/problem.ts'
import { placeText } from '../../../shared/problem.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import type { LintWarning } from '../warning.ts'
import { fieldsOf, isKnown, type Named, namedIn, textOf } from './model.ts'
import { type ComposeProject, placeOf, type ReadFile } from './project.ts'

/** Who has which services, by what plumb.yaml calls the host. */
export type HostServices = { readonly written: string; readonly services: ReadonlySet<ServiceName> }

type Claim = { readonly name: string; readonly at: At }
type At = { readonly project: ComposeProject; readonly file: ReadFile; readonly path: KeyPath }

/** Docker's own: a container's name is there once. Names of projects are claims of their services (claims.ts). */
export function nameCollisions(
  projects: readonly ComposeProject[],
  hosts: readonly HostServices[],
): readonly Problem[] {
  const byName = Map.groupBy(projects.flatMap(claimsOf), ({ name }) => name)
  return [...byName.values()].flatMap((claims) =>
    claims.slice(1).flatMap((claim, index) => {
      const other = claims.slice(0, index + 1).find((earlier) => sharedHost(claim, earlier, hosts) !== undefined)
      return other === undefined ? [] : [collision(claim, other, sharedHost(claim, other, hosts))]
    }),
  )
}

function claimsOf(project: ComposeProject): readonly Claim[] {
  return project.files.flatMap((file) =>
    namedIn(file.root, 'services').flatMap(({ fields, path }): readonly Claim[] => {
      const name = textOf(fields['container_name'])
      if (name === undefined || !isKnown(name)) return []
      return [{ name, at: { project, file, path: [...path, 'container_name'] } }]
    }),
  )
}

/** A resource of it that has no name of its own begins with this. */
function projectName({ source }: ComposeProject): string {
  return source.managed.project?.project ?? source.managed.service.name.toLowerCase()
}

function sharedHost(one: Claim, other: Claim, hosts: readonly HostServices[]): SharedHost | undefined {
  const [a, b] = [one, other].map(({ at }) => at.project.source.managed.service.name)
  if (a === undefined || b === undefined) return undefined
  if (a === b) return { kind: 'any' }
  const host = hosts.find(({ services }) => services.has(a) && services.has(b))
  return host && { kind: 'named', written: host.written }
}

type SharedHost = { readonly kind: 'any' } | { readonly kind: 'named'; readonly written: string }

function collision({ name, at }: Claim, { at: other }: Claim, host: SharedHost | undefined): Problem {
  const service = at.project.source.managed.service.name
  const where = host?.kind === 'named' ? `, both on host ${host.written}` : ''
  const message = `the container name ${quoted(name)} is used twice${where}; the other place is ${placeText(placeOf(other.file, other.path))}`
  const remedy = 'Remove `container_name`, or rename one: docker refuses the second.'
  return invalid(message, placeOf(at.file, at.path), { service, remedy })
}

/** Compose refuses to start with an external network or volume that is not there. */
export function missingExternals(projects: readonly ComposeProject[], makers: Makers): readonly LintWarning[] {
  return projects.flatMap((project) =>
    project.files.flatMap((file) =>
      (['network', 'volume'] as const).flatMap((kind) =>
        namedIn(file.root, `${kind}s`).flatMap((named) => {
          const name = externalName(named)
          if (name === undefined || !isKnown(name)) return []
          const lacking = makers.hostsWithout({ kind, name, service: project.source.managed.service.name })
          return lacking.length === 0 ? [] : [missing({ kind, name, lacking }, { project, file, path: named.path })]
        }),
      ),
    ),
  )
}

export type Wanted = { readonly kind: 'network' | 'volume'; readonly name: string; readonly service: ServiceName }
export type Makers = { hostsWithout(wanted: Wanted): readonly string[] }

/** `commands`: texts of units and programs by service, in which `docker network create NAME` may stand. */
export function makersOn(
  projects: readonly ComposeProject[],
  hosts: readonly HostServices[],
  commands: ReadonlyMap<ServiceName, readonly string[]>,
): Makers {
  const made = new Map(projects.map((project) => [project.source.managed.service.name, madeBy(project)]))
  const makes = (service: ServiceName, { kind, name }: Wanted) =>
    made.get(service)?.has(`${kind} ${name}`) === true ||
    (commands.get(service) ?? []).some((text) =>
      text.split('\n').some((line) => line.includes(`${kind} create`) && line.split(/[\s"']+/).includes(name)),
    )
  return {
    hostsWithout: (wanted) =>
      hosts.flatMap(({ written, services }) =>
        services.has(wanted.service) && ![...services].some((service) => makes(service, wanted)) ? [written] : [],
      ),
  }
}

function madeBy(project: ComposeProject): ReadonlySet<string> {
  const name = projectName(project)
  const own = project.files.flatMap((file) =>
    (['network', 'volume'] as const).flatMap((kind) =>
      namedIn(file.root, `${kind}s`).flatMap((named) => {
        if (externalName(named) !== undefined) return []
        return [`${kind} ${textOf(named.fields['name']) ?? `${name}_${named.name}`}`]
      }),
    ),
  )
  return new Set([...own, `network ${name}_default`, ...['bridge', 'host', 'none'].map((one) => `network ${one}`)])
}

function externalName({ name, fields }: Named): string | undefined {
  const { external } = fields
  if (external === undefined || external === false || external === null) return undefined
  return textOf(fields['name']) ?? textOf(fieldsOf(external)['name']) ?? name
}

type Lacking = Pick<Wanted, 'kind' | 'name'> & { readonly lacking: readonly string[] }

function missing({ kind, name, lacking }: Lacking, { project, file, path }: At): LintWarning {
  const hosts =
    lacking.length > 3 ? `${lacking.slice(0, 2).join(', ')} and ${lacking.length - 2} more` : lacking.join(', ')
  return {
    code: `compose-external-${kind}`,
    message: `nothing in the repository makes the external ${kind} ${quoted(name)} on ${hosts}: compose does not start without it.`,
    where: placeOf(file, path),
    remedy: `Make it in the compose file of one service of the host, with \`name: ${name}\`, and name that service under \`after\`.`,
    service: project.source.managed.service.name,
  }
}

/** One project has two names then: docker's and the service's. */
export function otherProjectName(project: ComposeProject): readonly LintWarning[] {
  const { service } = project.source.managed
  const [main] = project.files
  const { name, from } = service.project?.name ?? { name: '', from: 'service.yaml' }
  if (main === undefined || from === 'service.yaml' || name === service.name.toLowerCase()) return []
  return [
    {
      code: 'compose-project-name',
      message: `the compose project is called ${quoted(name)} by its ${from === '.env' ? '.env' : '`name:`'}, and the service ${quoted(service.name)}.`,
      where: placeOf(main, ['name']),
      remedy: `Rename the service, or say in service.yaml that both are meant: compose: { project: ${name} }`,
      service: service.name,
    },
  ]
}
