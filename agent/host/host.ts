// What a host offers to the stages, as two capabilities: reading (observe) and writing (apply only).

import { realpathSync } from 'node:fs'
import type { Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { Memory } from '../memory.ts'
import type { FileReader, FileWriter, HashMemory } from './files.ts'
import { openFiles } from './files-open.ts'
import { groundWith, openGround } from './ground.ts'

/** What may be looked at and changed here. In a sandbox (`--root DIR`) everything but files and directories is left out. */
export type Capabilities = {
  /** Owners and groups are compared and set; false without root or where the sandbox has no users. */
  readonly ownership: boolean
  readonly packages: boolean
  readonly units: boolean
  readonly containers: boolean
  /** Validation commands, tools, triggers and checks are run. */
  readonly commands: boolean
}

export type HostReader = {
  /** `/`, or the sandbox directory that stands for it. Paths given to `files` are as on the host, without it. */
  readonly root: AbsolutePath
  readonly capabilities: Capabilities
  readonly files: FileReader
  /** Starts a command that only reads (`systemctl show`, `dpkg-query`). */
  readonly query: Run
  /** What was seen of it before. */
  readonly memory: Memory
}

/** Held by apply/ alone. */
export type HostWriter = Omit<HostReader, 'files'> & {
  readonly files: FileWriter
  readonly run: Run
}

export type HostOptions = {
  /** An existing directory. */
  readonly root: string
  readonly run: Run
  /** Hashes of files that did not move since; the state directory's `hashes`. */
  readonly hashes?: HashMemory
  /** Reserved beside what always is: the directory of its state. `all`: the agent writes files of its own. */
  readonly own?: readonly string[] | 'all'
}

export function openHost({ root, run, hashes, own = [] }: HostOptions): HostWriter {
  const real = realRoot(root)
  const whole = real === '/'
  const files = openFiles({
    root: real,
    ground: own === 'all' ? openGround : groundWith(own.flatMap((path) => pathBelow(real, path))),
    ...compact({ memory: hashes }),
    ...(whole ? { getent: run } : {}),
  })
  const users = whole || files.stat(absolutePathSchema.parse('/etc/passwd')) !== undefined
  const capabilities = {
    ownership: users && process.geteuid?.() === 0,
    packages: whole,
    units: whole,
    containers: whole,
    commands: whole,
  }
  return { root: real, capabilities, files, query: run, run, memory: new Memory() }
}

/** A path of this machine as a path below the root; none when it is elsewhere. */
function pathBelow(root: AbsolutePath, path: string): readonly string[] {
  if (root === '/') return [path]
  return path.startsWith(`${root}/`) ? [path.slice(root.length)] : []
}

/** The same host without the means to change it. */
export function readerOf(host: HostWriter): HostReader {
  const { root, capabilities, files, query, memory } = host
  return { root, capabilities, files, query, memory }
}

function realRoot(root: string): AbsolutePath {
  try {
    return absolutePathSchema.parse(realpathSync(root))
  } catch (cause) {
    throw new PlumbError(
      {
        code: 'usage',
        message: 'the root directory is not there, or cannot be entered.',
        where: { file: root },
        remedy: 'Create it first, or name another directory.',
      },
      { cause },
    )
  }
}
