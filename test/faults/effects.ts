// What an apply did, against what `plumb plan` had printed: the difference of the tree, what the tools were told, and what the
// apply itself says it did, each explained by a line of the plan - and each line of the plan by something that was done.
import { hash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { actionsIn, type Line, lineOf } from './plan-lines.ts'

/** By path: type, mode, owner and content, in words that differ when these do. */
export type Tree = ReadonlyMap<string, string>

export type Done = {
  readonly before: Tree
  readonly after: Tree
  /** Of the fake tools. */
  readonly log: readonly string[]
  /** As the apply told them. */
  readonly changes: readonly string[]
}

export function treeIn(root: string): Tree {
  return new Map(entriesBelow(root, ''))
}

/** Sentences, one for each thing that was done and not planned, or planned and not done. */
export function disagreements(planned: readonly string[], done: Done): readonly string[] {
  const lines = planned.map(lineOf)
  const changed = changedPaths(done)
  const told = done.log.flatMap(actionsIn)
  const foretold = new Set(lines.flatMap(({ actions, besides }) => [...actions, ...besides]))
  return [
    ...changed
      .filter((path) => !lines.some((line) => explainsPath(line, path, done)))
      .map((path) => `not planned: a change of ${path}`),
    ...told.filter((action) => !foretold.has(action)).map((action) => `not planned: ${action}`),
    ...lines
      .filter((line) => line.isCertain && !hasEffect(line, { changed, told, done }) && !isMadeAgain(line, lines))
      .map(({ text }) => `planned and not done: ${text}`),
    ...differencesInWords(lines, done.changes),
  ]
}

/** Links of root on the way to a path are followed, as /var/run is. */
function throughLinks(path: string, tree: Tree, depth = 0): string {
  const parts = path.split('/').slice(1)
  for (let length = 1; length < parts.length; length += 1) {
    const parent = `/${parts.slice(0, length).join('/')}`
    const target = /^link to (.*)$/.exec(tree.get(parent) ?? '')?.[1]
    if (target === undefined || depth > 10) continue
    const led = resolve(dirname(parent), target, ...parts.slice(length))
    return throughLinks(led, tree, depth + 1)
  }
  return path
}

function explainsPath(line: Line, path: string, done: Done): boolean {
  return placesOf(line, done).some((of) => explainsChange({ ...line, of }, path, done))
}

/** The path itself, or where links lead on the way to it: those that were there, or those that this apply made. */
function placesOf({ of }: Line, { before, after }: Pick<Done, 'before' | 'after'>): readonly string[] {
  return [of, throughLinks(of, before), throughLinks(of, after)]
}

function explainsChange({ kind, of }: Line, path: string, { before }: Done): boolean {
  const isBelow = path.startsWith(`${of}/`)
  // A directory goes, or makes room, with those in it that this apply has emptied.
  const isEmptied = isBelow && before.get(path)?.startsWith('directory') === true
  if (kind === 'write') return of === path || isEmptied || (of.startsWith(`${path}/`) && !before.has(path))
  return (kind === 'remove' && (of === path || isEmptied)) || (kind === 'purge' && isBelow)
}

type Effects = { readonly changed: readonly string[]; readonly told: readonly string[]; readonly done: Done }

function hasEffect(line: Line, { changed, told, done }: Effects): boolean {
  const { kind, actions } = line
  if (kind === 'telling') return actions.every((action) => told.includes(action))
  if (kind === 'purge') return placesOf(line, done).some((of) => changed.some((path) => path.startsWith(`${of}/`)))
  return placesOf(line, done).some((of) => changed.includes(of))
}

/** A directory that one service leaves, and another one makes for what is in it. */
function isMadeAgain({ kind, of }: Line, lines: readonly Line[]): boolean {
  return kind === 'remove' && lines.some((line) => line.kind === 'write' && line.of.startsWith(`${of}/`))
}

/** The apply's own words are those of the plan, in the past tense. */
function differencesInWords(lines: readonly Line[], changes: readonly string[]): readonly string[] {
  const expected = lines.filter(({ past }) => past !== undefined)
  const isForetold = (change: string) => lines.some(({ past }) => past === change)
  // What is said of packages, projects and the tools that the engine knows has words of its own.
  const isFree = (change: string) => !/^(?:wrote|removed|linked|made|corrected|left|restored) \//.test(change)
  return [
    ...expected
      .filter(({ past, isCertain }) => isCertain && !changes.includes(past ?? ''))
      .map(({ text }) => `planned and not told: ${text}`),
    ...changes
      .filter((change) => !isForetold(change) && !isFree(change))
      .map((change) => `told and not planned: ${change}`),
  ]
}

function changedPaths({ before, after }: Done): readonly string[] {
  const all = new Set([...before.keys(), ...after.keys()])
  return [...all].filter((path) => before.get(path) !== after.get(path)).toSorted()
}

function entriesBelow(root: string, prefix: string): readonly (readonly [string, string])[] {
  return readdirSync(join(root, prefix)).flatMap((name) => {
    const path = `${prefix}/${name}`
    const at = join(root, path)
    const stat = lstatSync(at)
    const about = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`
    if (stat.isDirectory()) return [[path, `directory ${about}`] as const, ...entriesBelow(root, path)]
    if (stat.isSymbolicLink()) return [[path, `link to ${readlinkSync(at)}`] as const]
    const content = stat.isFile() ? hash('sha256', readFileSync(at), 'hex') : 'special'
    return [[path, `file ${about} ${content}`] as const]
  })
}
