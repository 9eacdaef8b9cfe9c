// What the agent costs when nothing happens: resident memory and processor time, of the artifact that is shipped.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentEnvironment } from '../../agent/commands/agent-unit.ts'

const settleSeconds = 15
const watchSeconds = 120
const ticksPerSecond = 100

export const artifact = resolve(import.meta.dirname, '../../build/plumb-linux-x64')

export async function atRest(onJob: readonly string[], { residentMebibytes = 80 } = {}): Promise<void> {
  if (!existsSync(artifact)) {
    console.log('left out: the agent at rest (no build/plumb-linux-x64: npm run build)')
    return
  }
  forgetPages(artifact)
  const agent = spawn(artifact, ['agent', ...onJob], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...agentEnvironment },
  })
  try {
    await firstLook(agent.stdout)
    await sleep(settleSeconds * 1000)
    const before = ticksOf(agent.pid)
    await sleep(watchSeconds * 1000)
    const share = (ticksOf(agent.pid) - before) / ticksPerSecond / watchSeconds
    const resident = mebibytes(agent.pid, 'VmRSS')
    console.log(`The agent at rest on this job, ${watchSeconds} s with a check and a sync a minute`)
    const own = mebibytes(agent.pid, 'RssAnon')
    console.log(
      `  ${resident < residentMebibytes ? 'held  ' : 'MISSED'}  ${resident.toFixed(0)} MiB resident (${own.toFixed(0)} MiB its own), under ${residentMebibytes} MiB`,
    )
    console.log(`  ${share < 0.002 ? 'held  ' : 'MISSED'}  ${(share * 100).toFixed(2)} % of a core, under 0.2 %`)
  } finally {
    agent.kill('SIGTERM')
  }
}

/** On a busy machine the first look, which hashes everything, takes longer than any settling time. */
async function firstLook(log: Readable): Promise<void> {
  for await (const line of createInterface({ input: log })) if (line.includes('"msg":"looked"')) break
  log.resume()
}

/** A file that was just written is in the page cache in large pieces, which all count as resident once touched; after a boot it is not. */
function forgetPages(file: string): void {
  execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
}

/** User and system time, from /proc/PID/stat fields 14 and 15. */
function ticksOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

function mebibytes(pid: number | undefined, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
