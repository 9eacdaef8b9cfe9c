// The server's own tokens, made at its first start: files that only its user can read.
import { lstatSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isPrivate, readRegularFile } from '../shared/platform/regular-file.ts'
import { PlumbError } from '../shared/problem.ts'
import { hashOf, randomToken } from './agents/tokens.ts'

export type OwnTokens = { readonly operatorTokenHash: string; readonly syncTokenHash: string }

/** Only their hashes stay in memory. */
export function ownTokens(directory: string): OwnTokens {
  return {
    operatorTokenHash: tokenHash(directory, 'operator-token'),
    syncTokenHash: tokenHash(directory, 'sync-token'),
  }
}

function tokenHash(directory: string, name: 'operator-token' | 'sync-token'): string {
  const file = join(directory, name)
  // A link that leads nowhere is there, too.
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) {
    writeFileSync(file, `${randomToken(name.replace('-token', ''))}\n`, { mode: 0o600, flag: 'wx' })
  }
  const { token, isSecret } = readToken(file)
  if (token.length >= 20 && isSecret) return hashOf(token)
  throw new PlumbError({
    code: 'secret-exposed',
    message: isSecret ? 'the token is too short to be one' : 'the token can be read by other users of this machine',
    where: { file },
    remedy: 'Remove the file; a new token is made at the next start.',
  })
}

function readToken(file: string): { readonly token: string; readonly isSecret: boolean } {
  try {
    const { text, mode } = readRegularFile(file)
    return { token: text.trim(), isSecret: isPrivate({ mode }) }
  } catch (thrown) {
    throw new PlumbError(
      {
        code: 'usage',
        message: `the token cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
        where: { file },
        remedy: 'Remove it; a new token is made at the next start.',
      },
      { cause: thrown },
    )
  }
}
