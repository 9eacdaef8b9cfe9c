// Templates against every host that has their service.
import { type Problem, problemLine } from '../../shared/problem.ts'
import { sampleHosts, servicesFor } from '../../shared/repository/assign.ts'
import type { Fleet } from '../../shared/repository/fleet.ts'
import type { ServiceTemplate } from '../desire/render.ts'
import { unknownVariables } from '../desire/template.ts'

/** Each template against every host that has its service; secrets are taken as present. */
export function templateProblems(fleet: Fleet, templates: readonly ServiceTemplate[]): readonly Problem[] {
  const byService = Map.groupBy(templates, ({ service }) => service)
  const found = new Map<string, { readonly problem: Problem; readonly hosts: string[] }>()
  for (const { host, written } of sampleHosts(fleet)) {
    const assignment = servicesFor(fleet, host)
    if (assignment.kind === 'unknown') continue
    const vars = new Set(assignment.vars.keys())
    for (const service of assignment.services)
      for (const { template } of byService.get(service) ?? [])
        for (const problem of unknownVariables(template, vars)) {
          const line = problemLine({ ...problem, remedy: undefined })
          const known = found.get(line) ?? { problem: { ...problem, service }, hosts: [] }
          known.hosts.push(written)
          found.set(line, known)
        }
  }
  const unknown = [...found.values()].map(({ problem, hosts }) => ({
    ...problem,
    message: `${problem.message.replace(/\.$/, '')} on ${hostsText(hosts)}.`,
  }))
  return [
    ...templates.flatMap(({ problems, service }) => problems.map((problem) => ({ ...problem, service }))),
    ...unknown,
  ]
}

function hostsText(hosts: readonly string[]): string {
  const [first, second, third, ...more] = hosts
  if (more.length > 0) return `${first}, ${second} and ${more.length + 1} more hosts`
  return [first, second, third].filter((host) => host !== undefined).join(', ')
}
