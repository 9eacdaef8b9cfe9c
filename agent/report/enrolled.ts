// The server this host is enrolled at: so that `plumb install`, run again, does not ask for another token.
import { join } from 'node:path'
import { readIfThere, replaceDurably } from '../../shared/platform/durable.ts'

export function readEnrolled(stateDirectory: string): string | undefined {
  return readIfThere(join(stateDirectory, 'enrolled'))?.toString('utf8').trim()
}

export async function noteEnrolled(stateDirectory: string, server: string): Promise<void> {
  await replaceDurably([{ path: join(stateDirectory, 'enrolled'), content: `${server}\n` }])
}
