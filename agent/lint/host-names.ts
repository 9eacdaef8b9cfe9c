// Names of hosts in groups that are most likely slips: the name stands nowhere else, and a name that is nearly the same does. Pure.
import type { Fleet } from '../../shared/repository/fleet.ts'
import { quoted } from '../../shared/repository/invalid.ts'
import { nearest } from '../../shared/repository/nearest.ts'
import type { LintWarning } from './warning.ts'

export function hostNameWarnings({ hosts, groups }: Fleet): readonly LintWarning[] {
  const written = [...groups].flatMap(([group, { hosts: names }]) => names.map((name) => ({ group, name })))
  return written.flatMap(({ group, name }) => {
    const others = [...hosts.keys(), ...written.flatMap((one) => (one.group === group ? [] : [one.name]))].map(String)
    if (isPattern.test(name) || others.includes(name)) return []
    const meant = nearest(
      name,
      others.filter((other) => !isPattern.test(other) && !isSeries(other, name)),
    )
    if (meant === undefined) return []
    return [
      {
        code: 'host-name-slip',
        message: `the group ${quoted(group)} names the host ${quoted(name)}, which stands nowhere else.`,
        where: { file: 'plumb.yaml', key: `groups.${group}.hosts` },
        remedy: `Did you mean ${quoted(meant)}? If not, add ${name} under hosts.`,
      },
    ]
  })
}

const isPattern = /[*?]/

/** `web-1` and `web-2` are two hosts. */
function isSeries(one: string, other: string): boolean {
  return one.replace(/[0-9]+/g, '#') === other.replace(/[0-9]+/g, '#')
}
