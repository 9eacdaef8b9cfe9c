// The kinds of drift, as one closed list: what programs that read findings and alerts may rely on. Nothing is read from the texts for
// people: whoever finds a difference says by a code what it is.

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

/** What a difference is, where that is more than its kind. */
const kindOfFinerCode = {
  /** A link that is not followed stands for a directory above it. */
  'unsafe-link': 'type',
  /** All containers of a project that should run are stopped. */
  'project-stopped': 'project-state',
} as const satisfies Readonly<Record<string, FindingKind>>

/** What a difference is: its kind, or something finer. The kind of resource that found it says which (agent/resources/kind.ts). */
export type DifferenceCode = FindingKind | keyof typeof kindOfFinerCode

/** `codes` absent: the agent is older. */
type Coded = { readonly codes?: readonly string[] | undefined }

/** Each kind once, in the order of the differences. A code of a newer agent is its own kind; without any it is the neutral one. */
export function kindsOf(differences: readonly Coded[]): string[] {
  return [...new Set(differences.flatMap(({ codes = [neutralKind] }) => codes.map(kindOf)))]
}

const neutralKind: FindingKind = 'other'

function kindOf(code: string): string {
  return new Map<string, string>(Object.entries(kindOfFinerCode)).get(code) ?? code
}
