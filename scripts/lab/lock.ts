// Locks between processes, held by the kernel on an open file: the end of the holder, however it comes, frees them.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export function lockedNow<T>(file: string, work: () => T): T {
  const descriptor = openLock(file)
  try {
    if (!take(descriptor, ['--timeout', '300']))
      throw new Error(`${file} was locked for five minutes. Look at: fuser ${file}`)
    return work()
  } finally {
    closeSync(descriptor)
  }
}

/** For long work: waits without stopping this process, and says once that it waits. */
export async function locked<T>(file: string, work: () => Promise<T>, onWait: () => void): Promise<T> {
  const descriptor = openLock(file)
  try {
    let isFirst = true
    while (!take(descriptor, ['--nonblock'])) {
      if (isFirst) onWait()
      isFirst = false
      await pause(500)
    }
    return await work()
  } finally {
    closeSync(descriptor)
  }
}

function openLock(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return openSync(file, 'w', 0o600)
}

// A lock belongs to the open file, which flock(1) inherits from us: it stays when flock ends, until we close.
function take(descriptor: number, how: readonly string[]): boolean {
  const { status, stderr } = spawnSync('flock', ['--exclusive', ...how, '3'], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
  })
  if (status === 0) return true
  if (status === 1) return false
  throw new Error(`flock: ${stderr?.toString().trim() ?? 'could not be started'}`)
}
