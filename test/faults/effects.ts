// What an apply did, against what `plumb plan` had printed: the difference of the tree, what the tools were told, and what the
// apply itself says it did, each explained by a line of the plan - and each line of the plan by something that was done.
import { hash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

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
export function disagreements(lines: readonly string[], done: Done): readonly string[] {
  const planned = lines.map(parsedLine)
  const changed = changedPaths(done)
  const told = done.log.flatMap(actionsIn)
  return [
    ...changed
      .filter((path) => !planned.some((line) => explainsPath(line, path, done)))
      .map((path) => `not planned: a change of ${path}`),
    ...told
      .filter((action) => !planned.some((line) => explainsAction(line, action)))
      .map((action) => `not planned: ${action}`),
    ...planned
      .filter((line) => !hasEffect(line, { changed, told, done }))
      .map(({ text }) => `planned and not done: ${text}`),
    ...untold(planned, done.changes),
  ]
}

/**
 * The one place for what plans are known to say inexactly. A directory that somebody else's file keeps is left, and said so.
 * A unit that the apply itself starts has read the new files and is not told to; one that does not run has nobody to tell. A
 * project whose changed files no container sees is looked at and left.
 */
function mayBeWithoutEffect({ kind, text }: Line): boolean {
  if (kind === 'remove' || kind === 'trigger') return true
  if (kind === 'unit') return text.includes('no longer in the repository')
  if (kind === 'package') return text.includes('no longer in the repository')
  return kind === 'compose' && /no longer in the repository|its files changed|not brought up yet/.test(text)
}

type Line = {
  readonly kind:
    | 'write'
    | 'remove'
    | 'purge'
    | 'tool'
    | 'trigger'
    | 'command'
    | 'unit'
    | 'package'
    | 'compose'
    | 'check'
  /** A path, a unit, a package, a project, a command. */
  readonly of: string
  readonly text: string
}

const forms: readonly (readonly [Line['kind'], RegExp])[] = [
  ['purge', /^remove from (\/.*?): /],
  ['remove', /^remove (\/.*)$/],
  ['write', /^write (\/.*) \(.*\)$/],
  ['write', /^link (\/.*) to .*$/],
  ['write', /^make (\/.*)$/],
  ['write', /^correct (\/.*) \(.*\)$/],
  ['tool', /^run (system.*)$/],
  ['command', /^run (after .*)$/],
  ['trigger', /^(?:reload|restart) (.*)$/],
  ['check', /^check (.*)$/],
  ['compose', /^compose project (\S+): /],
  ['unit', /^(\S+\.(?:service|timer)): /],
  ['package', /^(\S+): /],
]

function parsedLine(text: string): Line {
  for (const [kind, form] of forms) {
    const of = form.exec(text)?.[1]
    if (of !== undefined) return { kind, of, text }
  }
  throw new Error(`a line of a plan that this test cannot read: ${text}`)
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

/** `restart one.service`, `apt-get install tool`, `compose up s0`; of a log line that names several units, one each. */
function actionsIn(line: string): readonly string[] {
  if (/^compose up \S+: nothing$/.test(line)) return []
  if (line.startsWith('compose ')) return [line.replace(/:.*$/, '')]
  if (line.startsWith('system') || line.startsWith('ran ') || line === 'daemon-reload') return [line]
  const [verb = '', ...names] = line.startsWith('apt-get')
    ? ['apt-get install', ...line.split(' ').slice(2)]
    : line.split(' ')
  return names.map((name) => `${verb} ${name}`)
}

function explainsAction(line: Line, action: string): boolean {
  return actionsOf(line).includes(action)
}

function actionsOf({ kind, of, text }: Line): readonly string[] {
  switch (kind) {
    case 'tool':
      return [of.replace(/^systemctl /, '')]
    case 'command':
      return [`ran ${of}`]
    case 'trigger':
      return [text]
    case 'unit':
      // Beside what the line says: a mask is taken away for whatever is wanted, and units that systemd has not read are read.
      return [...unitActions(text).map((verb) => `${verb} ${of}`), `unmask ${of}`, 'daemon-reload']
    case 'package':
      return [`apt-get install ${of}`]
    case 'compose':
      return [`compose up ${of}`, `compose down ${of}`]
    case 'write':
    case 'remove':
    case 'purge':
    case 'check':
      return []
  }
}

function unitActions(text: string): readonly string[] {
  if (text.includes('no longer in the repository')) return ['stop', 'disable']
  const verbs = { running: 'start', stopped: 'stop', enabled: 'enable', disabled: 'disable' } as const
  const wanted = [...text.matchAll(/should be (running|stopped|enabled|disabled)/g)].flatMap(([, state]) =>
    state === 'running' || state === 'stopped' || state === 'enabled' || state === 'disabled' ? [verbs[state]] : [],
  )
  return text.includes('masked') ? [...wanted, 'unmask'] : wanted
}

type Effects = { readonly changed: readonly string[]; readonly told: readonly string[]; readonly done: Done }

function hasEffect(line: Line, { changed, told, done }: Effects): boolean {
  if (line.kind === 'check' || mayBeWithoutEffect(line)) return true
  if (line.kind === 'write' || line.kind === 'remove') return placesOf(line, done).some((of) => changed.includes(of))
  if (line.kind === 'purge') return placesOf(line, done).some((of) => changed.some((path) => path.startsWith(`${of}/`)))
  if (line.kind === 'unit') return unitActions(line.text).some((verb) => told.includes(`${verb} ${line.of}`))
  return actionsOf(line).some((action) => told.includes(action))
}

/** Of paths and triggers the apply's own words are those of the plan, in the past tense. */
function untold(planned: readonly Line[], changes: readonly string[]): readonly string[] {
  const expected = planned
    .filter(
      ({ kind }) =>
        kind === 'write' || kind === 'remove' || kind === 'purge' || kind === 'trigger' || kind === 'command',
    )
    .map((line) => ({ line, past: inThePast(line.text) }))
  const said = changes.filter((change) =>
    /^(?:wrote|removed|linked|made|corrected|left) \/|^removed from |^(?:reloaded|restarted|ran) /.test(change),
  )
  return [
    ...expected
      .filter(({ line, past }) => !changes.includes(past) && !changes.includes(leftText(line)))
      .filter(({ line }) => line.kind !== 'trigger')
      .map(({ line }) => `planned and not told: ${line.text}`),
    ...said
      .filter((change) => !expected.some(({ line, past }) => past === change || change === leftText(line)))
      .filter((change) => change !== 'reloaded the units of systemd')
      .map((change) => `told and not planned: ${change}`),
  ]
}

function leftText({ text }: Line): string {
  return `left ${text.replace(/^remove /, '')}: it is not empty`
}

function inThePast(text: string): string {
  return text
    .replace(/^write /, 'wrote ')
    .replace(/\(is a /, '(was a ')
    .replace(/^remove /, 'removed ')
    .replace(/^link /, 'linked ')
    .replace(/^make /, 'made ')
    .replace(/^correct /, 'corrected ')
    .replace(/^run /, 'ran ')
    .replace(/^reload /, 'reloaded ')
    .replace(/^restart /, 'restarted ')
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
