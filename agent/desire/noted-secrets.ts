// Which values a revision was filled in with, as digests in memory only: while they are the same, so is what is desired.
import { hash } from 'node:crypto'
import { PlumbError } from '../../shared/problem.ts'
import type { Secrets } from './secrets.ts'

/** By its name, SHA-256 of each value, or of the reason why there is none. */
export type NotedSecrets = ReadonlyMap<string, string>

/** The same secrets; `noted` has all that were read of them so far. */
export function noting(secrets: Secrets): { readonly secrets: Secrets; readonly noted: NotedSecrets } {
  const noted = new Map<string, string>()
  const read = async (name: string) => {
    const reading = secrets.read(name)
    noted.set(name, await noteOf(reading))
    return await reading
  }
  return { secrets: { ...secrets, read }, noted }
}

/** False also where one cannot be read any more, can be read again, or cannot be read for another reason. */
export async function isStillAs(noted: NotedSecrets, secrets: Secrets): Promise<boolean> {
  for (const [name, before] of noted) if ((await noteOf(secrets.read(name))) !== before) return false
  return true
}

async function noteOf(reading: Promise<string>): Promise<string> {
  try {
    return digest(`value ${await reading}`)
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    return digest(`none ${error.message}`)
  }
}

function digest(value: string): string {
  return hash('sha256', value, 'hex')
}
