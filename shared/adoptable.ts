// What of a finding `plumb adopt` can make a commit of, from where, and the command for it; the rest is for a person's own commit. What the
// content of a file lets it do - a merge, a value within a template - only adopt itself can tell. Pure.

import type { Finding } from './finding.ts'
import { type DifferenceCode, isLeftToPerson, lastRunName } from './finding-kind.ts'
import { parseResourceId } from './names.ts'
import { isOfKind } from './resource.ts'
import { visibleText } from './visible-text.ts'

/** Why the report of a finding does not say all that a commit needs, and the host alone has it; undefined: it does, but for the secrets of a template. */
export function hostAlone({
  resource,
  differences,
  diff,
  diffCut,
  diffHidden,
  diffEncoding,
  diffInstead,
}: Finding): string | undefined {
  if (differences.some(({ liveMasked, liveCut }) => liveMasked || liveCut)) return 'something in it was masked or cut'
  if (differences.some(({ codes }) => codes === undefined))
    return 'its agent is older, and does not say whether something in it was masked'
  const names = differences.map(({ name }) => name)
  if (names.includes('override')) return 'only the host has all of a file that the repository does not have'
  if (names.includes('extra')) return 'only the host has the content of what is new in the directory'
  if (!names.includes('content') || !isOfKind(resource, 'file')) return undefined
  if (diffHidden !== undefined) return 'its content is not reported'
  if (diffCut) return 'its diff was cut'
  if (diff === undefined) return 'its diff was not told'
  if (diffEncoding !== undefined) return `it is ${diffEncoding}, not UTF-8`
  if (diffInstead === undefined) return undefined
  return diffInstead === 'binary' ? 'it is not text' : 'too much of it differs, or it is too large'
}

/** A line that differs holds a secret: whether the change is in the secret itself, adopt finds out on the host. */
export function touchesSecret({ diffMasked = false }: Finding): boolean {
  return diffMasked
}

/** All of it, as far as the finding tells; an older agent does not tell. */
export function isAdoptableFinding({ differences }: Finding): boolean {
  return differences.length > 0 && differences.every(({ adoptable, liveMasked }) => adoptable === true && !liveMasked)
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
  return differences.some(({ codes = [] }) => codes.includes('unsafe-link' satisfies DifferenceCode))
}

/** Nobody means a fault to stay: there is nothing of it to be kept. Of a difference without codes the finding's kinds say it. */
export function isFault({ differences, kinds = [] }: Finding): boolean {
  const codes = differences.map((difference) => difference.codes ?? kinds)
  return codes.length > 0 && codes.every((own) => own.length > 0 && own.every((code) => faults.has(code)))
}

const faults: ReadonlySet<string> = new Set<DifferenceCode>([
  'unit-failed',
  'unit-stale',
  'container-missing',
  'container-stopped',
  'container-restarting',
  'container-unhealthy',
  'container-mount',
  'engine-object',
  'project-stopped',
])

/** What `plumb adopt` calls it: the path, `unit:nginx.service`, or the service where the name cannot be typed. */
export function adoptTarget(service: string, { resource }: Pick<Finding, 'resource'>): string {
  if (visibleText(resource) !== resource) return service
  return isOfKind(resource, 'unit') ? resource : parseResourceId(resource).name
}

/** Where the repository says what it says of it. */
export function fileBehind(service: string, { source }: Pick<Finding, 'source'>): string {
  return source ?? `services/${service}/service.yaml`
}
