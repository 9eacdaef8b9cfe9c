// `plumb restore`: lists what applies took away that the repository never had, and brings one version of a path back.
// Exits 0 when that is done, 1 when there is no such version.
import { resolve } from 'node:path'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError } from '../../shared/problem.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { type HostWriter, openHost } from '../host/host.ts'
import { isSamePlace } from '../host/known-name.ts'
import type { Archived } from '../state/archive.ts'
import { sizeText } from '../state/archive-text.ts'
import { openExistingState, type State } from '../state/state.ts'
import { ownPlaces } from './open.ts'
import { counted, type Output, printContent } from './output.ts'
import { bringBack } from './restore-version.ts'

export type RestoreOptions = {
  readonly root: string
  readonly state: string
  readonly at?: string
  readonly to?: string
  readonly print?: boolean
}

export async function restore(path: string | undefined, options: RestoreOptions, output: Output): Promise<number> {
  const state = openExistingState(resolve(options.state))
  const { at, to, print } = options
  if (path === undefined) {
    if (at !== undefined || to !== undefined || print === true)
      throw usage('No path is given.', 'plumb restore PATH --at TIME')
    return list(newestFirst(state.archive.list()), state, output)
  }
  const host = openHost({
    root: resolve(options.root),
    run: createRun(),
    hashes: state.hashes,
    own: ownPlaces(state.directory),
  })
  const versions = versionsOf(path, state, host)
  if (at === undefined && to === undefined && print !== true) return list(versions, state, output)
  const version = chosen(versions, at ?? 'latest')
  if (print === true) return printed(version, state)
  return restored(version, { state, host, target: targetOf(version, to) }, output)
}

function newestFirst(displaced: readonly Archived[]): readonly Archived[] {
  return displaced.toReversed()
}

/** By any name of the path. */
function versionsOf(path: string, state: State, { files }: HostWriter): readonly Archived[] {
  const all = state.archive.list()
  const isMeant = isSamePlace(
    path,
    all.map((one) => one.path),
    files,
  )
  const versions = newestFirst(all).filter((one) => isMeant(one.path))
  if (versions.length > 0) return versions
  throw usage(`Nothing was kept of ${path}.`, '`plumb restore` without a path lists everything that was.')
}

/** A time as listed, in text or JSON, or the beginning of one. */
function chosen(versions: readonly Archived[], at: string): Archived {
  const begins = at.replace(/(\d) (\d)/, '$1T$2').replace(/ UTC$/, '')
  const found = at === 'latest' ? versions.slice(0, 1) : versions.filter((one) => one.at.startsWith(begins))
  const [version, another] = found
  if (version !== undefined && another === undefined) return version
  const [{ path } = { path: '' }] = versions
  const times = timesOf(found.length > 0 ? found : versions).join(', ')
  const what = found.length > 0 ? `${counted(found.length, 'version')} of ${path}` : `No version of ${path}`
  throw usage(
    `${what} ${found.length > 0 ? 'begin' : 'is of a time that begins'} with "${at}".`,
    `There ${found.length > 0 ? 'are' : 'is'} ${times}.`,
  )
}

/** As listed; in full where two versions are of the same second. */
function timesOf(versions: readonly Archived[]): readonly string[] {
  const listed = versions.map(({ at }) => absoluteTime(at))
  return new Set(listed).size === listed.length ? listed : versions.map(({ at }) => at)
}

type Listed = {
  readonly at: string
  readonly path: string
  readonly service: string
  readonly why: string
  /** Bytes; of a link none. */
  readonly size: number | undefined
  readonly kept: boolean
}

function list(displaced: readonly Archived[], state: State, output: Output): number {
  const listed = displaced.map((one) => listedOf(one, state))
  output.print({
    json: { displaced: listed.map((one, index) => ({ ...one, was: displaced[index]?.was })) },
    text: listed.length === 0 ? ['nothing has been kept on this host'] : listed.map(lineOf),
  })
  return 0
}

function listedOf({ at, path, service, why, was }: Archived, { objects }: State): Listed {
  const about = { at, path, service, why }
  switch (was.type) {
    case 'symlink':
      return { ...about, size: undefined, kept: true }
    case 'not-kept':
      return { ...about, size: was.size, kept: false }
    case 'file': {
      const size = objects.size(was.sha256)
      return { ...about, size: size ?? was.size, kept: size !== undefined }
    }
  }
}

function lineOf({ at, path, service, why, size, kept }: Listed): string {
  const what = size === undefined ? 'link' : sizeText(size)
  return `${absoluteTime(at)}  ${path}  ${service}  ${why}  ${kept ? what : `not kept (${what})`}`
}

async function printed({ was, path }: Archived, { objects }: State): Promise<number> {
  if (was.type === 'symlink') await printContent([Buffer.from(`${was.target}\n`)])
  else if (was.type === 'not-kept') throw notKept(path)
  else await printContent(objects.parts(was.sha256))
  return 0
}

function targetOf({ path, isEscaped }: Archived, to: string | undefined): AbsolutePath {
  if (to === undefined && isEscaped === true)
    throw usage(
      `The path ${path} is shown escaped or shortened; nothing can be written there by that.`,
      'Name another path: --to PATH.',
    )
  const parsed = absolutePathSchema.safeParse(to ?? path)
  if (parsed.success && parsed.data !== '/') return parsed.data
  throw usage(`"${to ?? path}" is not the path of a file.`, 'Give it from the root on, without `..`.')
}

type Restoring = { readonly state: State; readonly host: HostWriter; readonly target: AbsolutePath }

async function restored(version: Archived, { state, host, target }: Restoring, output: Output): Promise<number> {
  const lock = await state.lock({ purpose: 'plumb restore', now: new Date(), waitSeconds: 60 })
  try {
    if (state.journal.read().length > 0) throw interrupted(state.directory)
    const lines = await bringBack(version, { host, state, target, now: new Date() })
    output.print({
      json: { path: target, at: version.at, service: version.service, notes: lines },
      text: [`restored ${target} as it was before ${absoluteTime(version.at)}`, ...lines],
    })
    return 0
  } finally {
    lock.release()
  }
}

/** Only an apply can tell whether it is to be finished or undone; what is restored now could be undone with it. */
function interrupted(directory: string): PlumbError {
  return new PlumbError({
    code: 'locked',
    message: 'an apply was interrupted and has not been finished or undone yet.',
    where: { file: directory },
    remedy: 'Start the agent, or run plumb apply: it does that first. Then restore.',
  })
}

function notKept(path: string): PlumbError {
  return usage(`This version of ${path} was not kept: it was too large.`, 'Only that it was there is known.')
}

function usage(message: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'usage', message, remedy })
}
