// Digests of the secret values that a revision was rendered with, in memory only: while they match, so does what is desired.
import { hash } from 'node:crypto'
import { PlumbError } from '../../shared/problem.ts'
import type { Secrets } from './secrets.ts'

/** By its name, SHA-256 of each value, or of the reason why there is none. */
export type SecretDigests = ReadonlyMap<string, string>

/** The same secrets; `digests` grows with each one that is read. */
export function recordSecretReads(secrets: Secrets): { readonly secrets: Secrets; readonly digests: SecretDigests } {
  const digests = new Map<string, string>()
  const read = async (name: string) => {
    const reading = secrets.read(name)
    digests.set(name, await noteOf(reading))
    return await reading
  }
  return { secrets: { ...secrets, read }, digests }
}

/** False also where one cannot be read any more, can be read again, or cannot be read for another reason. */
export async function secretsUnchanged(digests: SecretDigests, secrets: Secrets): Promise<boolean> {
  for (const [name, before] of digests) if ((await noteOf(secrets.read(name))) !== before) return false
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
