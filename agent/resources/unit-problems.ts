// What keeps an apply from changing a unit.
import { PlumbError } from '../../shared/problem.ts'
import type { UnitStatus } from '../host/systemd.ts'

/** systemd masks the name alone: the unit is still started at boot and by its own name. */
export function maskOfAlias({ name, id }: UnitStatus): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${name} is an alias of ${id}, and a mask of it would not keep ${id} from starting.`,
    remedy: `Name the unit itself under \`units\` in service.yaml: ${id}: { masked: true }`,
  })
}

export function noSuchUnit(name: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${name}: there is no such unit on this host.`,
    remedy: 'Add the package it comes with to `packages`, or its file to units/.',
  })
}

export function emptyUnitFile({ name }: UnitStatus): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `the unit file of ${name} is empty, which systemd takes for a mask: the unit cannot be enabled or started.`,
    remedy: `Write the unit, or take its file out and say so in service.yaml: units: { ${name}: { masked: true } }`,
  })
}
