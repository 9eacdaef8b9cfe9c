// What of a finding `plumb adopt` can make a commit of, from where, and the command for it; the rest is for a person's own commit. What the
// content of a file lets it do - a merge, a value within a template - only adopt itself can tell. Pure.
import type { Difference, Finding } from './finding.ts'
import { type FindingKind, kindsOf } from './finding-kind.ts'
import { maskText } from './mask-text.ts'
import { shellWord } from './shell-word.ts'
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
export function hostAlone({ resource, differences, diff, diffCut }: Finding): string | undefined {
  if (differences.some(({ live }) => live.includes(maskText) || live.length >= longestTold))
    return 'something in it was masked or cut'
  const names = differences.map(({ name }) => name)
  if (names.includes('override')) return 'only the host has all of a file that the repository does not have'
  if (names.includes('extra')) return 'only the host has the content of what is new in the directory'
  if (!names.includes('content') || !resource.startsWith('file:')) return undefined
  if (diffCut) return 'its diff was cut'
  if (diff === undefined) return 'its diff was not told'
  return /^(?:Binary content differs|Too much differs)/.test(diff) ? 'it is not text' : undefined
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

/** Nobody means a fault to stay: there is nothing of it to be kept. */
export function isFault({ resource, differences }: Finding): boolean {
  return differences.length > 0 && kindsOf(resource, differences).every((kind) => faults.has(kind))
}

const faults: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'unit-failed',
  'unit-stale',
  'container-missing',
  'container-stopped',
  'container-restarting',
  'container-unhealthy',
  'container-mount',
])

/** What `plumb adopt` calls it: the path, `unit:nginx.service`, or the service where the name cannot be typed. */
export function adoptTarget(service: string, { resource }: Pick<Finding, 'resource'>): string {
  if (visibleText(resource) !== resource) return service
  return resource.startsWith('unit:') ? resource : nameIn(resource)
}

const commandsShown = 3

/** `on`: ` on web-1`. `options`: those that the command needs there, behind a space. */
type Wording = { readonly on?: string; readonly options?: string }

/**
 * How what differs of one service is kept, a line each, none of faults alone: `To keep it: plumb adopt nginx`. By its own name where one thing can be adopted, else all
 * with the service; what was removed is adopted by its path alone.
 */
export function keepingLines(
  service: string,
  findings: readonly Finding[],
  { on = '', options = '' }: Wording = {},
): readonly string[] {
  const isCarried = (finding: Finding) => isAdoptableFinding(finding) && !touchesSecret(finding)
  const carried = findings.filter(isCarried)
  const removed = carried.filter(isRemoved)
  const others = findings.filter((finding) => !isCarried(finding) && !isFault(finding))
  const rest = new Set(others.map((finding) => fileBehind(service, finding)))
  const targets =
    carried.length === 1 || removed.length === carried.length
      ? carried.map((finding) => adoptTarget(service, finding))
      : [service, ...removed.map((finding) => adoptTarget(service, finding))]
  const commands = [...new Set(targets)]
    .slice(0, commandsShown)
    .map((target) => `plumb adopt ${shellWord(target)}${options}`)
  return [
    ...(commands.length === 0 ? [] : [`To keep it${on}: ${commands.join('; ')}`]),
    ...(rest.size === 0
      ? []
      : [`To keep ${commands.length === 0 ? 'it' : 'the rest'}: change ${listed([...rest])} in a clone, and push`]),
  ]
}

function listed(files: readonly string[]): string {
  const shown = files.slice(0, commandsShown).map(visibleText).join(', ')
  return files.length > commandsShown ? `${shown} and ${files.length - commandsShown} more files` : shown
}

/** Where the repository says what it says of it. */
export function fileBehind(service: string, { source }: Pick<Finding, 'source'>): string {
  return source ?? `services/${service}/service.yaml`
}

function isRemoved({ differences }: Finding): boolean {
  return differences.some(({ name, live }) => name === 'type' && live === 'missing')
}

function nameIn(resource: string): string {
  return resource.slice(resource.indexOf(':') + 1)
}
