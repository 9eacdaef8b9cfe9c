// A fake: what stands behind the programs of a host - systemd, apt, docker - as plain values beside a directory of real files.
// The agent under test meets it as programs that it starts (programs.ts) or, where thousands of applies are made, as a `Run`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command, CommandResult, Run } from '../../../shared/command.ts'
import { docker, type FakeContainer } from './docker.ts'
import { apt, type FakePackage } from './packages.ts'
import { type FakeUnit, systemd } from './systemd.ts'

export type FakeHost = {
  /** Where its files are. */
  readonly root: string
  readonly units: Map<string, FakeUnit>
  /** Installed ones. */
  readonly packages: Map<string, FakePackage>
  readonly containers: Map<string, FakeContainer>
  /** What changed something, in order: `restart web.service`. */
  readonly log: string[]
  /** Counts starts and containers. */
  readonly made: { count: number }
}

export type Answer = { readonly code: number; readonly stdout: string; readonly stderr: string }

export type Asked = Pick<Command, 'args' | 'stdin'>

/** Returns undefined for a program that it does not fake. */
export type FakeProgram = (host: FakeHost, args: readonly string[], stdin: string) => Answer

export const fakePrograms: Readonly<Record<string, FakeProgram>> = {
  ...systemd,
  ...apt,
  docker,
}

export function fakeHost(root: string): FakeHost {
  return { root, units: new Map(), packages: new Map(), containers: new Map(), log: [], made: { count: 0 } }
}

/** The same host with its files at another place, its log empty. */
export function copyOf({ units, packages, containers, made }: FakeHost, root: string): FakeHost {
  return { root, log: [], ...structuredClone({ units, packages, containers, made }) }
}

export function answer(host: FakeHost, { args: [program = '', ...args], stdin }: Asked): Answer {
  const fake = fakePrograms[program]
  return fake === undefined ? refused(`${program} is not faked`) : fake(host, args, String(stdin ?? ''))
}

/** Without a process: the same answers, and `otherwise` for what is not faked. */
export function runOn(host: FakeHost, otherwise: Run): Run {
  return async (command): Promise<CommandResult> =>
    Object.hasOwn(fakePrograms, command.args[0] ?? '') ? answer(host, command) : otherwise(command)
}

export function said(stdout = '', code = 0): Answer {
  return { code, stdout: stdout === '' ? '' : `${stdout}\n`, stderr: '' }
}

export function refused(stderr: string, code = 1): Answer {
  return { code, stdout: '', stderr: `${stderr}\n` }
}

export function textAt({ root }: FakeHost, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}
