// Which packages a service needs, judged by whose its files are: those that a person would ask for, not those that came along.
import type { Inventory } from '../host/packages/inventory.ts'

export type Ownership = {
  readonly service: string
  /** Named by the user. */
  readonly named: readonly string[]
  /** Packages whose files are taken; where there are none, those whose files were looked at. */
  readonly owners: readonly string[]
}

/** Sorted names of installed packages, and of `named` whatever they are. */
export function packagesFor({ service, named, owners }: Ownership, inventory: Inventory): readonly string[] {
  const byName = inventory.packages.has(service) ? [service] : []
  const found = [...owners, ...byName]
    .filter((name) => inventory.packages.has(name))
    .map((name) => askedFor(name, service, inventory))
  return [...new Set([...named, ...found])].toSorted()
}

/** A package that a person would name: `nginx` for `nginx-common`, which alone would not bring the program. */
export function askedFor(name: string, service: string, { packages }: Inventory): string {
  if (packages.get(name)?.manual === true || name === service) return name
  const askers = [...packages.values()].filter(({ manual, depends }) => manual && depends.includes(name))
  const related = askers.filter((asker) => asker.name === service || name.startsWith(asker.name))
  const [best] = (related.length > 0 ? related : askers).toSorted((a, b) => a.name.length - b.name.length)
  return best === undefined || (related.length === 0 && askers.length > 1) ? name : best.name
}
