// Which values a revision was filled in with, as digests in memory only: while they are the same, so is what is desired.
import { hash } from 'node:crypto'
import { PlumbError } from '../../shared/problem.ts'
import type { Secrets } from './secrets.ts'

/** SHA-256 of each value, by its name. */
export type NotedSecrets = ReadonlyMap<string, string>

/** The same secrets; `noted` has all that were read of them so far. */
export function noting(secrets: Secrets): { readonly secrets: Secrets; readonly noted: NotedSecrets } {
  const noted = new Map<string, string>()
  const read = async (name: string) => {
    const value = await secrets.read(name)
    noted.set(name, digest(value))
    return value
  }
  return { secrets: { ...secrets, read }, noted }
}

/** False also where one cannot be read any more: whoever desires anew tells why. */
export async function isStillAs(noted: NotedSecrets, secrets: Secrets): Promise<boolean> {
  for (const [name, before] of noted) {
    const value = await secrets.read(name).catch((error: unknown) => {
      if (error instanceof PlumbError) return undefined
      throw error
    })
    if (value === undefined || digest(value) !== before) return false
  }
  return true
}

function digest(value: string): string {
  return hash('sha256', value, 'hex')
}
