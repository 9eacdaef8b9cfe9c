// What a package manager offers to the package kind. Each of apt, dnf, apk and pacman is one file; detect.ts finds the host's.

import type { CommandResult, Run } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import { matchesPattern } from '../../../shared/repository/assign.ts'

export type PackageStatus = {
  /** `yes`, `no`, or the state in which the package manager stopped: `half-configured`. */
  readonly installed: string
  /** None of what is not there, nor of a name that another package provides. */
  readonly version?: string
  /** Absent when it would cost a command and was not requested. */
  readonly held?: boolean
}

export type WantedPackage = {
  readonly name: string
  /** A whole version or a pattern; the newest that matches is installed, also when that is a downgrade. */
  readonly version?: string
}

/** What an installation did, dependencies included. */
export type Installation = {
  readonly added: ReadonlyMap<string, string>
  readonly changed: ReadonlyMap<string, { readonly from: string; readonly to: string }>
  readonly removed: readonly string[]
}

export type Unfinished = { readonly name: string; readonly state: string }

export type PackageProvider = {
  readonly name: 'apt' | 'dnf' | 'apk' | 'pacman'
  /** Every name has an entry. */
  states(names: readonly string[], query: Run, asked: Asked): Promise<ReadonlyMap<string, PackageStatus>>
  /** By the package manager's own order of versions. */
  isOlder(version: string, than: string, query: Run): Promise<boolean>
  /** What a run of the package manager that ended in the middle left behind; one that is at work is waited for. */
  unfinished(query: Run): Promise<readonly Unfinished[]>
  /** Completes that, as far as it can be. */
  finish(run: Run): Promise<void>
  /** For a person: the command that does so. */
  readonly finishing: string
  /** In one transaction. Throws PlumbError, also when no version matches. Holds must be released first. */
  install(wanted: readonly WantedPackage[], run: Run): Promise<Installation>
  hold(names: readonly string[], run: Run): Promise<void>
  unhold(names: readonly string[], run: Run): Promise<void>
}

/** Versions in another format are not compared: they may be arbitrary text. */
export function isPlainVersion(version: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9.+~^:_-]*$/.test(version)
}

export type Asked = { readonly holds: boolean }

export type Versions = ReadonlyMap<string, string>

/** By name, what can be installed, the newest first. */
export type AvailableVersions = ReadonlyMap<string, readonly string[]>

/** The same in observe and install. */
export function matchesVersion(pattern: string, version: string): boolean {
  return matchesPattern(pattern, version)
}

export type Resolved = { readonly name: string; readonly version: string | undefined }

/** Throws PlumbError with every package that has no such version, and the versions it has. */
export function resolvedVersions(wanted: readonly WantedPackage[], available: AvailableVersions): readonly Resolved[] {
  const resolved = wanted.map(({ name, version }) => {
    const found = version === undefined ? undefined : available.get(name)?.find((one) => matchesVersion(version, one))
    return { name, pattern: version, version: found }
  })
  const lacking = resolved.filter(({ pattern, version }) => pattern !== undefined && version === undefined)
  if (lacking.length === 0) return resolved
  const texts = lacking.map(({ name, pattern }) => {
    const others = available.get(name) ?? []
    const there = others.length === 0 ? 'there is none at all' : `there is ${listText(others)}`
    return `${name} has no version ${pattern} to install: ${there}`
  })
  throw new PlumbError({
    code: 'apply-failed',
    message: `${texts.join('; ')}.`,
    remedy: 'Change `version` in service.yaml, or add the package repository that has it.',
  })
}

export function installationBetween(before: Versions, after: Versions): Installation {
  const changed = [...after].flatMap(([name, to]) => {
    const from = before.get(name)
    return from === undefined || from === to ? [] : [[name, { from, to }] as const]
  })
  return {
    added: new Map([...after].filter(([name]) => !before.has(name)).toSorted(byName)),
    changed: new Map(changed.toSorted(byName)),
    removed: [...before.keys()].filter((name) => !after.has(name)).toSorted(),
  }
}

export function lastLines({ stdout, stderr }: CommandResult, count: number): string {
  const text = stderr.trim() === '' ? stdout : stderr
  return text.trim().split('\n').slice(-count).join('\n')
}

/** `caddy`, `caddy=2.6.*`. */
export function wantedText(wanted: readonly WantedPackage[]): string {
  return wanted.map(({ name, version }) => (version === undefined ? name : `${name}=${version}`)).join(', ')
}

/** Lines of fields between tabs. */
export function rows(stdout: string): readonly (readonly string[])[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1
}

function listText(versions: readonly string[]): string {
  const shown = versions.slice(0, 10).join(', ')
  return versions.length > 10 ? `${shown} and ${versions.length - 10} more` : shown
}
