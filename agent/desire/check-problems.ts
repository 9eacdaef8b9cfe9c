// A check that a unit is active, of a unit that the repository itself keeps from running: no apply could pass it. Lint and the agent refuse
// it alike. Pure.
import type { ServiceName } from '../../shared/names.ts'
import { type Place, type Problem, placeText } from '../../shared/problem.ts'
import type { SharedHost } from '../../shared/repository/claims.ts'
import { invalid, quoted } from '../../shared/repository/invalid.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { templateOfUnit } from '../../shared/repository/unit-names.ts'
import { unitSettings } from '../../shared/repository/unit-settings.ts'
import type { ManagedService } from './managed-files.ts'

/** What keeps a unit from running, and where that is said. */
type Stopped = {
  readonly service: ServiceName
  readonly unit: string
  readonly how: 'stopped' | 'masked'
  readonly where: () => Place
}

export type CheckedOn = {
  /** By path inside the repository. */
  readonly texts: ReadonlyMap<string, string>
  readonly sharedHost: SharedHost
}

export function checkProblems(
  services: readonly ManagedService[],
  { texts, sharedHost }: CheckedOn,
): readonly Problem[] {
  const stopped = Map.groupBy(services.flatMap(stoppedUnits), ({ unit }) => unit)
  const jobs = jobsIn(services, texts)
  return services.flatMap(({ service: { name, settings, settingsPlace } }) =>
    settings.checks.flatMap((check, index) => {
      if (check.kind !== 'unit') return []
      const where = settingsPlace(['checks', index, 'unit'])
      const all = stopped.get(check.unit) ?? []
      // The check of a job holds after its last run, too.
      const against = all.filter(({ how }) => how === 'masked' || !jobs.has(templateOfUnit(check.unit)))
      return against.flatMap((one) => contradiction(name, one, { where, sharedHost }))
    }),
  )
}

const prefix = `${unitDirectory}/`

function stoppedUnits({ service: { name, settings, settingsPlace }, files }: ManagedService): readonly Stopped[] {
  const links = files.flatMap((file): readonly Stopped[] =>
    file.kind === 'symlink' && file.link === '/dev/null' && file.target.startsWith(prefix)
      ? [
          {
            ...{ service: name, unit: file.target.slice(prefix.length), how: 'masked' },
            where: () => ({ file: file.source }),
          },
        ]
      : [],
  )
  const said = [...settings.units].flatMap(([unit, { masked, state }]): readonly Stopped[] => {
    if (masked !== true && state !== 'stopped') return []
    const how = masked === true ? 'masked' : 'stopped'
    return [{ service: name, unit, how, where: () => settingsPlace(['units', unit]) }]
  })
  return [...links, ...said]
}

/** Names of unit files of the repository that run something once. */
function jobsIn(services: readonly ManagedService[], texts: ReadonlyMap<string, string>): ReadonlySet<string> {
  const jobs = services.flatMap(({ files }) =>
    files.flatMap(({ target, source }) => {
      if (!target.startsWith(prefix)) return []
      const settings = unitSettings(texts.get(source) ?? '')
      const isJob = settings.some(({ key, value }) => key === 'Type' && value === 'oneshot')
      return isJob ? [templateOfUnit(target.slice(prefix.length).replace(/\.d\/[^/]+$/, ''))] : []
    }),
  )
  return new Set(jobs)
}

type Checked = { readonly where: Place; readonly sharedHost: SharedHost }

function contradiction(
  service: ServiceName,
  { service: other, unit, how, where: said }: Stopped,
  { where, sharedHost }: Checked,
): readonly Problem[] {
  const host = other === service ? undefined : sharedHost(other, service)
  if (other !== service && host === undefined) return []
  const whose = other === service ? 'this service' : `the service ${quoted(other)}, on host ${host} as well,`
  const message = `the check wants ${unit} active, and ${whose} has it ${how}: ${placeText(said())}`
  return [invalid(message, where, { service, remedy: `Take the check out, or let ${unit} run.` })]
}
