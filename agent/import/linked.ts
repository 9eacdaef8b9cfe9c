// Links that are taken while what they lead to is not: the next host would have a link to nothing. Pure.
import { posix } from 'node:path'
import type { HostEntry } from '../host/entries-below.ts'
import type { Untaken } from './findings.ts'

/** `entries`: everything that was looked at. Programs and what packages bring are on the next host anyway. */
export function linkedElsewhere(entries: readonly HostEntry[], taken: readonly HostEntry[]): readonly Untaken[] {
  const seen = new Set<string>(entries.map(({ path }) => path))
  const byTarget = new Map<string, string>()
  for (const entry of taken) {
    if (entry.kind !== 'symlink') continue
    const target = posix.resolve(posix.dirname(entry.path), entry.link)
    if (!seen.has(target) && !ofSystem.test(target) && !byTarget.has(target)) byTarget.set(target, entry.path)
  }
  return [...byTarget].map(([path, link]) => ({ path, why: `${link} links to it: name it too` }))
}

const ofSystem = /^\/(?:usr|lib(?:32|64|x32)?|s?bin|dev|proc|sys|run|etc\/alternatives|etc\/ssl\/certs)(?:\/|$)|^\/$/
