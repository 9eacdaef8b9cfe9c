// The README draft of an imported service: what a person would otherwise have to find out again. Markdown.
import type { HostEntry } from '../host/entries-below.ts'
import type { Findings, Untaken } from './findings.ts'
import { type FoundUnit, unitText } from './units.ts'

export type Taken = {
  readonly taken: readonly HostEntry[]
  readonly left: readonly Untaken[]
  readonly refused: readonly Untaken[]
  /** Names. */
  readonly secrets: readonly string[]
}

export function readmeText(findings: Findings, { taken, left, refused, secrets }: Taken): string {
  const { service, host, at, packages, paths, units, circumstances } = findings
  const day = at.toISOString().slice(0, 10)
  const [main] = packages.toSorted((a, b) => Number(b.name === service) - Number(a.name === service))
  const summary = main === undefined ? 'Say here what it does and for whom.' : `${capitalised(main.summary)}.`
  const gone = [...circumstances.originals]
    .filter(([path]) => paths.some((given) => path.startsWith(`${given}/`)) && !isFound(findings, path))
    .map(([path, original]) => ({ path, why: `not on ${host}, but ${original.package || 'its package'} brings it` }))
  return [
    `# ${service}`,
    '',
    summary,
    '',
    `Imported from \`${host}\` on ${day} by \`plumb import\`. What follows is what was found: correct it, and say why it is so.`,
    '',
    ...section('Where it is configured', placesOf(taken)),
    ...section(
      'Packages',
      packages.map(({ name, version, held }) => `\`${name}\` ${version}${held ? ', held' : ''} on ${host}`),
    ),
    ...section(
      'Units',
      units.filter(isTold).map((unit) => `\`${unit.status.name}\`: ${unitText(unit)}`),
    ),
    ...section('Listens on', portsOf(findings)),
    ...section('Containers', findings.compose?.notes ?? []),
    ...section(
      'Secrets',
      secrets.map(
        (name) =>
          `\`${name}\`: in \`/etc/plumb/secrets/${name}\` on each host (a plain file of owner root, mode 0600, in a directory of owner root, mode 0700)`,
      ),
    ),
    ...section('Left out', limited([...refused, ...left, ...gone])),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function section(heading: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : [`## ${heading}`, ...items.map((item) => `- ${item}`), '']
}

function isFound({ entries }: Findings, path: string): boolean {
  return entries.some((entry) => entry.path === path)
}

function isTold({ status }: FoundUnit): boolean {
  return status.loadState !== 'not-found'
}

/** Per directory, how many files. */
function placesOf(taken: readonly HostEntry[]): readonly string[] {
  const leaves = taken.filter(({ kind }) => kind !== 'directory')
  const byDirectory = Map.groupBy(leaves, ({ path }) => path.slice(0, path.lastIndexOf('/')))
  return [...byDirectory].map(([directory, [first, ...others]]) => {
    const count = others.length + 1
    return count === 1 ? `\`${first?.path}\`` : `\`${directory}/\`: ${count} files`
  })
}

function portsOf({ listeners, units, service }: Findings): readonly string[] {
  if (listeners === undefined) return ['not known: `ss` is not installed']
  const names = units.map(({ status }) => status.name.replace(/\.[a-z]+$/, '').replace(/@.*$/, ''))
  const own = listeners.filter(({ unit, program }) =>
    unit === undefined ? program === service : names.includes(unit.replace(/\.service$/, '').replace(/@.*$/, '')),
  )
  return [...new Set(own.map(({ address, program }) => `${address} (${program})`))]
}

function limited(untaken: readonly Untaken[]): readonly string[] {
  const lines = untaken.slice(0, shownAtMost).map(({ path, why }) => `\`${path}\`: ${why}`)
  return untaken.length > shownAtMost ? [...lines, `and ${untaken.length - shownAtMost} more`] : lines
}

const shownAtMost = 40
