// What leaves a service that says `onRemove: restore`, and is made again what it was before the first apply.
import { compact } from '../../shared/compact.ts'
import type { AbsolutePath } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Permissions } from '../host/files.ts'
import { compareAttributes, differencesFrom } from './compare.ts'
import type { ApplyHost, Attributes, Comparison, LiveResource, ResourceChange, Subject } from './kind.ts'
import { modeText, pathOf } from './paths.ts'
import { isReturning, type Original } from './removal/originals.ts'

/** Of a path that no desired resource has any more. */
export function compareLeaving(subject: Subject, live: LiveResource): Comparison {
  const { original, baseline } = subject
  const returns = original !== undefined && isReturning({ ...subject, live })
  return returns
    ? compareReturning(original, subject, live)
    : compareAttributes(undefined, baseline?.attributes, live.attributes)
}

/** Somebody else's file or directory in its place is left alone. */
function compareReturning(original: Original, { baseline }: Subject, live: LiveResource): Comparison {
  const { type } = live.attributes
  const isFree = baseline === undefined ? type === 'missing' : isSameSide(baseline.attributes, live.attributes)
  if (!isFree) return { drift: [], pending: [] }
  const drift =
    baseline === undefined || type === 'missing' ? [] : differencesFrom(baseline.attributes, live.attributes)
  return { drift, pending: differencesFrom(attributesOf(original), live.attributes) }
}

/** What was done; and, before it is, what is to be done. */
export function leftText(change: ResourceChange): string {
  return isReturning(change) ? returnText('restored', change) : `removed ${pathOf(change.id)}${lostText(change)}`
}

export function leaveText(change: ResourceChange): string {
  return isReturning(change) ? returnText('restore', change) : `remove ${pathOf(change.id)}${lostText(change)}`
}

/** Staged and swapped like everything else, so that it can be undone. */
export async function putBackOriginal(change: ResourceChange, host: ApplyHost): Promise<string> {
  const { id, original, differences } = change
  const { files } = host
  const path = pathOf(id)
  const isInPlace = differences.every(({ name }) => name !== 'type' && name !== 'content' && name !== 'target')
  switch (original?.type) {
    case 'file':
      if (isInPlace) await files.setPermissions(path, 'file', permissionsOf(original))
      else {
        makeRoom(path, host)
        await files.stage(path, host.kept(original.sha256), permissionsOf(original))
        files.publish(path)
      }
      break
    case 'symlink':
      makeRoom(path, host)
      files.stageLink(path, original.target)
      files.publish(path)
      break
    case 'directory':
      files.makeDirectory(path, permissionsOf(original))
      break
    case 'missing':
    case 'fifo':
    case 'socket':
    case 'device':
    case undefined:
      break
  }
  return returnText('restored', change)
}

function returnText(verb: 'restore' | 'restored', { id }: ResourceChange): string {
  return `${verb} ${pathOf(id)} as it was before the first apply`
}

function lostText({ original }: ResourceChange): string {
  if (original === undefined || original.type === 'missing') return ''
  const what = original.type === 'file' ? `a file of ${original.size} bytes` : `a ${original.type}`
  return ` (what was there before the first apply, ${what}, was not kept)`
}

function attributesOf(original: Original): Attributes {
  switch (original.type) {
    case 'file':
      return { type: 'file', content: original.sha256, mode: modeText(original.mode), ...namesOf(original) }
    case 'symlink':
      return { type: 'symlink', target: original.target }
    case 'directory':
      return { type: 'directory', mode: modeText(original.mode), ...namesOf(original) }
    case 'missing':
    case 'fifo':
    case 'socket':
    case 'device':
      return { type: original.type }
  }
}

function namesOf({ owner, group }: { readonly owner?: string; readonly group?: string }): Attributes {
  return { ...compact({ owner, group }) }
}

/** By number: the names of that time may be gone. */
function permissionsOf({ mode, uid, gid }: Required<Permissions>): Permissions {
  return process.geteuid?.() === 0 ? { mode, uid, gid } : { mode }
}

function isSameSide(applied: Attributes, live: Attributes): boolean {
  if (live['type'] === 'missing') return true
  return (live['type'] === 'directory') === (applied['type'] === 'directory')
}

function makeRoom(path: AbsolutePath, { files }: ApplyHost): void {
  if (files.stat(path)?.type !== 'directory' || files.removeDirectory(path)) return
  throw new PlumbError({
    code: 'apply-failed',
    message: 'a directory that is not empty is where something else was before the first apply.',
    where: { file: path },
    remedy: 'Move it away, then apply again.',
  })
}
