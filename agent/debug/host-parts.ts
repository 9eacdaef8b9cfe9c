// What of this machine decides how an agent fares: versions, room on disk, memory, its unit and its log.
import { readFile, statfs } from 'node:fs/promises'
import { cpus, freemem, loadavg, release, totalmem, uptime } from 'node:os'
import { type Command, type CommandResult, endText, type Run } from '../../shared/command.ts'
import { closedGit } from '../../shared/platform/git.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { agentVersion } from '../version.ts'
import { type Found, leftOut, wholeLines } from './part.ts'

const megabyte = 1024 * 1024
const logLimitBytes = 6 * megabyte
const logLines = 20_000

export async function versionsPart(run: Run, now: Date): Promise<Found> {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1]
  const firstLineOf = async (command: Command) => {
    const result = await run({ ...command, deadlineSeconds: 10 })
    return result.code === 0 ? result.stdout.split('\n')[0] : null
  }
  return jsonPart('versions.json', {
    madeAt: now.toISOString(),
    plumb: agentVersion,
    node: process.version,
    system: system ?? null,
    kernel: release(),
    architecture: process.arch,
    uid: process.getuid?.() ?? null,
    systemd: await firstLineOf({ args: ['systemctl', '--version'] }),
    git: await firstLineOf(closedGit(['--version'])),
    docker: await firstLineOf({ args: ['docker', '--version'] }),
    podman: await firstLineOf({ args: ['podman', '--version'] }),
  })
}

export type DiskFigures = {
  readonly path: string
  readonly freeMegabytes: number
  readonly totalMegabytes: number
  readonly freeInodes: number
}

/** `undefined` where there is no such directory. */
export async function diskFigures(path: string): Promise<DiskFigures | undefined> {
  const found = await statfs(path).catch(() => undefined)
  if (found === undefined) return undefined
  const megabytes = (blocks: number) => Math.round((blocks * found.bsize) / megabyte)
  return {
    path,
    freeMegabytes: megabytes(found.bavail),
    totalMegabytes: megabytes(found.blocks),
    freeInodes: found.ffree,
  }
}

export async function hostPart(directories: readonly string[]): Promise<Found> {
  const disks = await Promise.all(directories.map(diskFigures))
  return jsonPart('host.json', {
    disks: disks.filter((disk) => disk !== undefined),
    memory: { freeMegabytes: Math.round(freemem() / megabyte), totalMegabytes: Math.round(totalmem() / megabyte) },
    processors: cpus().length,
    load: loadavg(),
    uptimeSeconds: Math.round(uptime()),
  })
}

export async function unitPart(run: Run): Promise<Found> {
  const name = 'agent-unit.txt'
  const properties = ['ActiveState', 'SubState', 'Result', 'NRestarts', 'ExecMainStatus', 'ExecMainStartTimestamp']
  const figures = ['MemoryCurrent', 'MemoryPeak', 'CPUUsageNSec', 'TasksCurrent', 'UnitFileState', 'DropInPaths']
  const args = ['systemctl', 'show', agentUnit, `--property=${[...properties, ...figures].join(',')}`]
  return outputPart(name, args, await run({ args, deadlineSeconds: 10 }))
}

/** The end of it, of two weeks at most. */
export async function logPart(run: Run): Promise<Found> {
  const bounds = [`--lines=${logLines}`, '--since=-14d']
  const args = ['journalctl', `--unit=${agentUnit}`, '--no-pager', '--quiet', '--output=short-iso-precise', ...bounds]
  return outputPart('agent.log', args, await run({ args, deadlineSeconds: 60, outputLimitBytes: logLimitBytes }))
}

function outputPart(name: string, args: readonly string[], result: CommandResult): Found {
  if (result.code !== 0) return leftOut(name, 'unreadable', endText({ args }, result))
  return wholeLines({ kind: 'part', name, text: result.stdout, isCut: result.cut === true })
}

export function jsonPart(name: string, value: unknown): Found {
  return { kind: 'part', name, text: `${JSON.stringify(value, undefined, 2)}\n`, isCut: false }
}
