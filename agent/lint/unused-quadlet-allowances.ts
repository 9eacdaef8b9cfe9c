// Entries of `quadlets:` in service.yaml that no quadlet has use for (any more): they would let a later change of one through unseen. Pure.
import { usualPlaceOf } from '../../shared/repository/reserved.ts'
import type { ManagedService } from '../desire/managed-files.ts'
import { givenBy, hostFiles } from '../desire/quadlet-problems.ts'
import type { LintWarning } from './warning.ts'

export function unusedQuadletAllowances(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): readonly LintWarning[] {
  const host = hostFiles(services, texts)
  return services.flatMap((managed) => {
    const { service } = managed
    const { allow, allowMounts } = service.settings.quadlets
    if (allow.length + allowMounts.length === 0 || managed.files.some(({ settings }) => settings.template)) return []
    const given = givenBy(managed, host)
    const powers = new Set(given.flatMap((one) => one.powers.map(({ allowance }) => allowance)))
    const paths = new Set(given.flatMap((one) => one.paths.map(({ path }) => usualPlaceOf(path))))
    const warning = (key: string, index: number, message: string): LintWarning => ({
      code: 'quadlet-allowance-unused',
      message,
      where: service.settingsPlace(['quadlets', key, index]),
      remedy: 'Take it out of service.yaml.',
      service: service.name,
    })
    return [
      ...allow.flatMap((one, index) =>
        powers.has(one) ? [] : [warning('allow', index, `${one} is allowed, and no quadlet is given it.`)],
      ),
      ...allowMounts.flatMap((path, index) =>
        paths.has(usualPlaceOf(path))
          ? []
          : [warning('allowMounts', index, `${path} may be mounted, and no quadlet names it.`)],
      ),
    ]
  })
}
