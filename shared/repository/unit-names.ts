// Names of template units and their instances: `worker@.service` and `worker@2.service`.

export function isTemplateUnit(unit: string): boolean {
  return /@\.[a-z]+$/.test(unit)
}

/** `worker@.service` for `worker@2.service`; any other unit's own name. */
export function templateOfUnit(unit: string): string {
  return unit.replace(/@[^@]+(?=\.[a-z]+$)/, '@')
}
