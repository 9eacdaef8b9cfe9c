// What the agent costs when nothing happens: resident memory and processor time, of the artifact that is shipped.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const settleSeconds = 15
const watchSeconds = 60
const ticksPerSecond = 100

export async function atRest(onJob: readonly string[]): Promise<void> {
  const artifact = resolve(import.meta.dirname, '../../build/plumb-linux-x64')
  if (!existsSync(artifact)) {
    console.log('left out: the agent at rest (no build/plumb-linux-x64: npm run build)')
    return
  }
  const agent = spawn(artifact, ['agent', ...onJob], { stdio: 'ignore' })
  try {
    await sleep(settleSeconds * 1000)
    const before = ticksOf(agent.pid)
    await sleep(watchSeconds * 1000)
    const share = (ticksOf(agent.pid) - before) / ticksPerSecond / watchSeconds
    const resident = residentMiB(agent.pid)
    console.log(`The agent at rest, ${watchSeconds} s with a check and a sync a minute`)
    console.log(`  ${resident < 80 ? 'held  ' : 'MISSED'}  ${resident.toFixed(0)} MiB resident, under 80 MiB`)
    console.log(`  ${share < 0.002 ? 'held  ' : 'MISSED'}  ${(share * 100).toFixed(2)} % of a core, under 0.2 %`)
  } finally {
    agent.kill('SIGTERM')
  }
}

/** User and system time, from /proc/PID/stat fields 14 and 15. */
function ticksOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

function residentMiB(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
