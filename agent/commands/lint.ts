// `plumb lint DIR`: everything that is wrong with a fleet repository, for people and for CI, without a host and before a commit.
import { absolutePathSchema } from '../../shared/names.ts'
import { type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import { namedHosts, sampleHosts, servicesFor } from '../../shared/repository/assign.ts'
import { limited } from '../../shared/repository/invalid.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { judgedContents } from '../desire/judged.ts'
import { loadRepository } from '../desire/load.ts'
import { managedService } from '../desire/managed-files.ts'
import { readTemplates, type ServiceTemplate } from '../desire/render.ts'
import { unknownReferences } from '../desire/template.ts'
import { readWorkTree } from '../desire/work-tree.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { counted } from './output.ts'

/** `write` is where the text goes; standard output when left out. */
export type LintOptions = { readonly json: boolean; readonly write?: (text: string) => void }

/** Prints what is wrong and a summary; the exit code is 1 when anything is. */
export async function lint(directory: string, { json, write = print }: LintOptions): Promise<0 | 1> {
  const { services, hosts, problems } = await linted(directory)
  const count = problems.length === 0 ? 'no problems' : counted(problems.length, 'problem')
  const summary = `${counted(services, 'service')} on ${counted(hosts, 'host')}: ${count}`
  const text = json
    ? JSON.stringify({ services, hosts, problems }, undefined, 2)
    : [...problems.map(problemLine), summary].join('\n')
  write(`${text}\n`)
  return problems.length === 0 ? 0 : 1
}

export async function lintDirectory(directory: string): Promise<readonly Problem[]> {
  return (await linted(directory)).problems
}

function print(text: string): void {
  process.stdout.write(text)
}

export type Linted = { readonly services: number; readonly hosts: number; readonly problems: readonly Problem[] }

async function linted(directory: string): Promise<Linted> {
  try {
    const { reader, problems: unread } = await readWorkTree(directory)
    const { services, hosts, problems } = await lintRevision(reader)
    return { services, hosts, problems: limited([...unread, ...problems].toSorted(byPlace)) }
  } catch (error) {
    return { services: 0, hosts: 0, problems: problemsOf(error) }
  }
}

/** What is wrong with a revision, whichever host it is for. */
export async function lintRevision(reader: RevisionReader): Promise<Linted> {
  const { repository, problems } = await loadRepository(reader)
  const services = [...repository.services.values()].map((service) => managedService(service, composeRoot))
  const templates = await readTemplates(services, reader)
  const judging = await judgedContents(services, { renderings: new Map(), digests: new Map() }, reader)
  const all = [...problems, ...templateProblems(repository, templates), ...judging.problems]
  return { services: services.length, hosts: namedHosts(repository.fleet).length, problems: all.toSorted(byPlace) }
}

const composeRoot = absolutePathSchema.parse('/var/lib/plumb/compose')

/** Each template against every host that has its service; secrets are taken as present. */
function templateProblems({ fleet }: Repository, templates: readonly ServiceTemplate[]): readonly Problem[] {
  const byService = Map.groupBy(templates, ({ service }) => service)
  const found = new Map<string, { readonly problem: Problem; readonly hosts: string[] }>()
  for (const { host, written } of sampleHosts(fleet)) {
    const assignment = servicesFor(fleet, host)
    if (assignment.kind === 'unknown') continue
    const scope = { vars: [...assignment.vars.keys()], secrets: undefined }
    for (const service of assignment.services)
      for (const { template } of byService.get(service) ?? [])
        for (const problem of unknownReferences(template, scope)) {
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

function byPlace(one: Problem, other: Problem): number {
  const [a, b] = [one.where, other.where]
  return (
    (a?.file ?? '').localeCompare(b?.file ?? '') ||
    (a?.line ?? 0) - (b?.line ?? 0) ||
    (a?.column ?? 0) - (b?.column ?? 0)
  )
}
