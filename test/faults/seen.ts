// What a person sees of a world, by service: every path with type, mode, owner, links and content, every unit, package and
// container with what it runs with. Equal lines are an equal service.
import { hash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { archiveStore } from '../../agent/state/archive.ts'
import type { FakeHost } from './fakes/fake-host.ts'
import { byHand, serviceNames } from './fleet.ts'

export type Seen = {
  /** Under the name of the service that owns them; `host` for what is nobody's. */
  readonly services: ReadonlyMap<string, readonly string[]>
  /** Temporary names that were left in the tree, or beside what the agent remembers. */
  readonly left: readonly string[]
  readonly journal: string
}

export function seenIn(world: string, host: FakeHost): Seen {
  const paths = pathsBelow(host.root, '')
  const state = pathsBelow(join(world, 'state'), '')
  const lines = [
    ...paths.map((path) => [ownerOf(path), pathLine(host.root, path)] as const),
    ...unitLines(host),
    ...[...host.packages].map(
      ([name, { version, held }]) => [ownerOf(name), packageLine(name, version, held)] as const,
    ),
    ...containerLines(host),
  ]
  const names = [...serviceNames, 'host']
  return {
    services: new Map(names.map((name) => [name, lines.flatMap(([owner, line]) => (owner === name ? [line] : []))])),
    left: [
      ...paths.filter((path) => path.includes('.plumb-')),
      ...state.filter((path) => /\.(?:new|mine)$/.test(path)).map((path) => `state${path}`),
    ],
    journal: readFileIfThere(join(world, 'state/journal')),
  }
}

/** Of what was made by hand and an apply took away, the paths that nothing could be brought back to. */
export function lostIn(world: string): readonly string[] {
  const kept = archiveStore(join(world, 'state')).list()
  const isKept = (path: string, text: string) =>
    kept.some(
      ({ path: of, was }) => of === path && was.type === 'file' && was.sha256 === hash('sha256', text, 'hex'),
    ) && readFileIfThere(join(world, 'state/objects', hash('sha256', text, 'hex'))) === text
  return Object.entries(byHand).flatMap(([path, text]) => (isKept(path, text) ? [] : [path]))
}

/** Lines of one that the other has not, with a sign. */
export function differenceOf(one: readonly string[], other: readonly string[]): readonly string[] {
  return [
    ...one.filter((line) => !other.includes(line)).map((line) => `- ${line}`),
    ...other.filter((line) => !one.includes(line)).map((line) => `+ ${line}`),
  ]
}

/** A package that is new stays installed when its service is put back (resources/package.ts says why). */
export function withoutNewPackages(lines: readonly string[], before: readonly string[]): readonly string[] {
  const known = new Set(before.flatMap((line) => packageIn(line) ?? []))
  return lines.filter((line) => known.has(packageIn(line) ?? '') || packageIn(line) === undefined)
}

function packageLine(name: string, version: string, held: boolean): string {
  return `package ${name} ${version}${held ? ', held' : ''}`
}

function packageIn(line: string): string | undefined {
  return /^package (\S+)/.exec(line)?.[1]
}

/** The service whose name a path, unit, package or project bears. */
function ownerOf(name: string): string {
  const words = name.split(/[^a-z]+/)
  return serviceNames.find((service) => words.includes(service)) ?? 'host'
}

function unitLines(host: FakeHost): readonly (readonly [string, string])[] {
  return [...host.units].toSorted().flatMap(([name, { enabled, masked, running, loaded }]) => {
    const isThere = enabled || masked || running !== undefined || loaded !== undefined
    const about = JSON.stringify({ enabled, masked, loaded, running })
    return isThere ? [[ownerOf(name), `unit ${name} ${about}`] as const] : []
  })
}

function containerLines(host: FakeHost): readonly (readonly [string, string])[] {
  return [...host.containers.values()]
    .map(
      ({ project, id: _, start: __, ...about }) => [project, `container ${project} ${JSON.stringify(about)}`] as const,
    )
    .toSorted(([, one], [, other]) => (one < other ? -1 : 1))
}

function pathsBelow(root: string, prefix: string): readonly string[] {
  return readdirSync(join(root, prefix), { withFileTypes: true })
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${prefix}/${entry.name}`
      return entry.isDirectory() ? [path, ...pathsBelow(root, path)] : [path]
    })
}

function pathLine(root: string, path: string): string {
  const at = join(root, path)
  const stat = lstatSync(at)
  const { mode, uid, gid, nlink } = stat
  const about = `${path} ${(mode & 0o7777).toString(8)} ${uid}:${gid}`
  if (stat.isSymbolicLink()) return `${about} -> ${readlinkSync(at)}`
  if (stat.isDirectory()) return `${about} directory`
  return `${about} ${nlink} links ${hash('sha256', readFileSync(at), 'hex')}`
}

function readFileIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
