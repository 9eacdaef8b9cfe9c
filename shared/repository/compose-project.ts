// The name of a service's compose project: what service.yaml says, else COMPOSE_PROJECT_NAME of `.env`, else `name:` of the
// compose file, else the service's own. The name decides which volumes, networks and containers are the project's. Pure.
import { readEnvironment } from './compose-environment.ts'
import { interpolate } from './compose-variables.ts'

export type ProjectName = {
  readonly name: string
  readonly from: 'service.yaml' | '.env' | 'compose file' | 'service'
  /** Why it cannot be a project's name. */
  readonly fault?: string
}

/** Where the files of compose projects are on a host, each in a directory of its service's name. */
export const projectsDirectory = '/srv/compose'

export const projectNamePattern = /^[a-z0-9][a-z0-9_-]*$/

export type NamedBy = {
  readonly service: string
  /** `compose: { project: NAME }` */
  readonly project: string | undefined
  /** Texts; undefined: there is none. */
  readonly composeFile: string | undefined
  readonly environment: string | undefined
}

export function projectName({ service, project, composeFile, environment }: NamedBy): ProjectName {
  if (project !== undefined) return { name: project, from: 'service.yaml' }
  const { values } = readEnvironment(environment ?? '')
  const candidates = [
    { from: '.env', written: values.get('COMPOSE_PROJECT_NAME') },
    { from: 'compose file', written: nameIn(composeFile ?? '') },
  ] as const
  for (const { from, written } of candidates) {
    if (written === undefined || written === '') continue
    const { text: name, unset, required, malformed } = interpolate(written, values)
    const isKnown = unset.length === 0 && required.length === 0 && malformed === undefined
    if (!isKnown) return { name: written, from, fault: 'has a variable without a value in it' }
    return projectNamePattern.test(name) ? { name, from } : { name, from, fault: notAName }
  }
  const name = service.toLowerCase()
  return projectNamePattern.test(name) ? { name, from: 'service' } : { name, from: 'service', fault: notAName }
}

const notAName = 'has other characters than lower-case letters, digits, - and _'

/** The top-level key alone: in a block of YAML nothing but such a key begins at the first column. */
function nameIn(text: string): string | undefined {
  const written = /^(?:name|"name"|'name')[^\S\n]*:[^\S\n]+(\S.*)$/m.exec(text)?.[1]
  if (written === undefined) return undefined
  const quoted = /^(?:"([^"\\]*)"|'([^']*)')\s*(?:\s#.*)?$/.exec(written)
  return quoted?.[1] ?? quoted?.[2] ?? written.replace(/\s+#.*$/, '').trim()
}
