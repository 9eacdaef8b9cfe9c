// What of a finding `plumb adopt` can make a commit of, from where, and the command for it; the rest is for a person's own commit. What the
// content of a file lets it do - a merge, a value within a template - only adopt itself can tell. Pure.
import type { Difference, Finding } from './finding.ts'
import { type FindingKind, isLeftToPerson, kindsOf, lastRunName, unsafeLinkType } from './finding-kind.ts'
import { maskText } from './mask-text.ts'
import { visibleText } from './visible-text.ts'

/** A kind of drift that is newer than this is not: nothing that differs is passed over. */
export function isAdoptable(resource: string, { name, live }: Pick<Difference, 'name' | 'live'>): boolean {
  const kind = resource.slice(0, resource.indexOf(':'))
  // Of any kind of path; what is in /run is gone with the next boot.
  if (name === 'override') return !nameIn(resource).startsWith('/run/')
  if (kind === 'unit') return unitValues[name]?.includes(live) === true
  if (name === 'type') return live === 'missing' && (kind === 'file' || kind === 'symlink')
  return attributes[kind]?.includes(name) === true
}

const unitValues: Readonly<Record<string, readonly string[]>> = {
  enabled: ['yes', 'no'],
  state: ['running', 'stopped'],
}

const attributes: Readonly<Record<string, readonly string[]>> = {
  file: ['content', 'mode', 'owner', 'group'],
  symlink: ['target'],
  directory: ['mode', 'owner', 'group', 'extra'],
}

/** A report carries no more of a value: what is as long may have been cut. */
const longestTold = 2000

/** Why the report of a finding does not say all that a commit needs, and the host alone has it; undefined: it does, but for the secrets of a template. */
export function hostAlone({
  resource,
  differences,
  diff,
  diffCut,
  diffHidden,
  diffEncoding,
}: Finding): string | undefined {
  if (differences.some(({ live }) => live.includes(maskText) || live.length >= longestTold))
    return 'something in it was masked or cut'
  const names = differences.map(({ name }) => name)
  if (names.includes('override')) return 'only the host has all of a file that the repository does not have'
  if (names.includes('extra')) return 'only the host has the content of what is new in the directory'
  if (!names.includes('content') || !resource.startsWith('file:')) return undefined
  if (diffHidden !== undefined) return 'its content is not reported'
  if (diffCut) return 'its diff was cut'
  if (diff === undefined) return 'its diff was not told'
  if (diffEncoding !== undefined) return `it is ${diffEncoding}, not UTF-8`
  if (/^Too (?:much differs|large)/.test(diff)) return 'too much of it differs, or it is too large'
  return diff.startsWith('Binary content differs') ? 'it is not text' : undefined
}

/** A line that differs holds a secret: whether the change is in the secret itself, adopt finds out on the host. */
export function touchesSecret({ diff = '' }: Finding): boolean {
  return diff.split('\n').some((line) => /^[+-]/.test(line) && line.includes(maskText))
}

/** All of it, as far as the finding tells. */
export function isAdoptableFinding({ resource, differences }: Finding): boolean {
  const isMasked = differences.some(({ live }) => live.includes(maskText))
  return differences.length > 0 && !isMasked && differences.every((difference) => isAdoptable(resource, difference))
}

/** Of a job: no apply puts it right, and the next run that succeeds ends it. */
export function isFailedRun({ differences }: Pick<Finding, 'differences'>): boolean {
  return differences.length > 0 && differences.every(({ name }) => name === lastRunName)
}

/** No apply changes anything of it. */
export function isLeft({ differences }: Pick<Finding, 'differences'>): boolean {
  return differences.length > 0 && differences.every(isLeftToPerson)
}

/** No apply gets to it before a person replaces the link, and nothing behind one is kept. */
export function isBehindUnsafeLink({ differences }: Pick<Finding, 'differences'>): boolean {
  return differences.some(({ name, live }) => name === 'type' && live.startsWith(unsafeLinkType))
}

/** Nobody means a fault to stay: there is nothing of it to be kept. */
export function isFault({ resource, differences }: Finding): boolean {
  return (
    differences.length > 0 &&
    differences.every(
      (difference) =>
        isStoppedProject(resource, difference) || kindsOf(resource, [difference]).every((kind) => faults.has(kind)),
    )
  )
}

/** All of its containers are stopped. */
function isStoppedProject(resource: string, { name, live }: Difference): boolean {
  return resource.startsWith('compose:') && name === 'state' && live === 'stopped'
}

const faults: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'unit-failed',
  'unit-stale',
  'container-missing',
  'container-stopped',
  'container-restarting',
  'container-unhealthy',
  'container-mount',
  'engine-object',
])

/** What `plumb adopt` calls it: the path, `unit:nginx.service`, or the service where the name cannot be typed. */
export function adoptTarget(service: string, { resource }: Pick<Finding, 'resource'>): string {
  if (visibleText(resource) !== resource) return service
  return resource.startsWith('unit:') ? resource : nameIn(resource)
}

/** Where the repository says what it says of it. */
export function fileBehind(service: string, { source }: Pick<Finding, 'source'>): string {
  return source ?? `services/${service}/service.yaml`
}

function nameIn(resource: string): string {
  return resource.slice(resource.indexOf(':') + 1)
}
