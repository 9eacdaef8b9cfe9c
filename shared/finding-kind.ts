// The kinds of drift, as one closed list: what programs that read findings and alerts may rely on. The wording for people is the summary's.

const findingKinds = [
  'content',
  'mode',
  'owner',
  'group',
  'acl',
  'capabilities',
  'type',
  'missing',
  'extra',
  'link-target',
  'unit-missing',
  'unit-override',
  'unit-stale',
  'unit-enabled',
  'unit-state',
  'unit-failed',
  'unit-masked',
  'container-missing',
  'container-count',
  'container-stopped',
  'container-restarting',
  'container-unhealthy',
  'container-configuration',
  'container-image',
  'container-mount',
  'container-undeclared',
  'container-other',
  'project-files',
  'project-state',
  'engine-object',
  'package-missing',
  'package-version',
  'package-downgraded',
  'package-hold',
  'other',
] as const

export type FindingKind = (typeof findingKinds)[number]

/** The difference of a job whose last run failed. */
export const lastRunName = 'last-run'

/** The difference of a unit whose networks or volumes exist with other settings. */
export const objectName = 'object'

/** What no apply corrects: the next run of a job does, or a person. */
export function isLeftToPerson({ name }: { readonly name: string }): boolean {
  return name === lastRunName || name === objectName
}

/** How the live type begins of what is not looked at, because a link that is not followed stands for a directory above it. */
export const unsafeLinkType = 'behind an unsafe link'

type Difference = { readonly name: string; readonly live: string }

/** Each once, in the order of the differences. `resource` is its id, `unit:nginx.service`. */
export function kindsOf(resource: string, differences: readonly Difference[]): FindingKind[] {
  const of = kindsByResource[resource.slice(0, resource.indexOf(':'))] ?? pathKinds
  return [...new Set(differences.flatMap(of))]
}

const kindsByResource: Readonly<Record<string, (difference: Difference) => readonly FindingKind[]>> = {
  unit: unitKinds,
  package: packageKinds,
  compose: composeKinds,
}

const ownKinds = ['content', 'mode', 'owner', 'group', 'acl', 'capabilities', 'extra'] as const

function pathKinds({ name, live }: Difference): readonly FindingKind[] {
  if (name === 'type') return [live === 'missing' ? 'missing' : 'type']
  if (name === 'target') return ['link-target']
  if (name === 'override') return ['unit-override']
  return [ownKinds.find((kind) => kind === name) ?? 'other']
}

function unitKinds({ name, live }: Difference): readonly FindingKind[] {
  if (name === 'type') return ['unit-missing']
  if (name === lastRunName) return ['unit-failed']
  if (name === objectName) return ['engine-object']
  if (name === 'loaded') return ['unit-stale']
  if (live.startsWith('masked')) return ['unit-masked']
  if (name === 'enabled' || name === 'install') return ['unit-enabled']
  return [live.startsWith('failed') ? 'unit-failed' : 'unit-state']
}

function packageKinds({ name }: Difference): readonly FindingKind[] {
  if (name === 'version') return ['package-version']
  if (name === 'downgrade') return ['package-downgraded']
  return [name === 'hold' ? 'package-hold' : 'package-missing']
}

/** `containers` is said per service of the project: `web: stopped (exit code 1); db: missing`. */
function composeKinds({ name, live }: Difference): readonly FindingKind[] {
  if (name === 'content') return ['project-files']
  if (name === 'state') return ['project-state']
  return live.split('; ').map(containerKind)
}

function containerKind(said: string): FindingKind {
  const fault = said.slice(said.lastIndexOf(': ') + 1).trim()
  return containerFaults.find(([pattern]) => pattern.test(fault))?.[1] ?? 'container-other'
}

const containerFaults: readonly (readonly [RegExp, FindingKind])[] = [
  [/^missing$/, 'container-missing'],
  [/containers\b/, 'container-count'],
  [/^(?:stopp(?:ed|ing)|never started|dead|paused)/, 'container-stopped'],
  [/^restarting/, 'container-restarting'],
  [/^unhealthy$/, 'container-unhealthy'],
  [/^other configuration/, 'container-configuration'],
  [/^other image/, 'container-image'],
  [/mounted$/, 'container-mount'],
  [/^not declared/, 'container-undeclared'],
]
