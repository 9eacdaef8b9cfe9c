// Who this host is: an Ed25519 key made once, kept in the state directory, never sent.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { linkSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { fileError } from '../../shared/file-error.ts'
import { makeStateDirectory, readIfThere, removeDurably, replaceDurably } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

export type Identity = {
  /** SPKI DER in base64, as the server stores it. */
  readonly publicKey: string
  sign(text: string): Buffer
}

/** Undefined when this host was never enrolled; throws PlumbError `state-corrupt` when the key cannot be read. */
export function readIdentity(stateDirectory: string): Identity | undefined {
  const path = pathIn(stateDirectory)
  const pem = readIfThere(path)
  return pem === undefined ? undefined : identityOf(parsed(pem, path))
}

/** The key of this host, made and on disk when there was none. */
export async function ensureIdentity(stateDirectory: string): Promise<Identity> {
  const known = readIdentity(stateDirectory)
  if (known !== undefined) return known
  makeStateDirectory(stateDirectory)
  const { privateKey } = generateKeyPairSync('ed25519')
  const content = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const made = join(stateDirectory, `identity.${randomUUID()}`)
  await replaceDurably([{ path: made, content }])
  try {
    // Made once: of two that do this at the same time, the second takes the key of the first.
    linkSync(made, pathIn(stateDirectory))
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw fileError(error, pathIn(stateDirectory), 'writing')
  }
  await removeDurably([made])
  return readIdentity(stateDirectory) ?? identityOf(privateKey)
}

function identityOf(privateKey: KeyObject): Identity {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64')
  return { publicKey, sign: (text) => sign(null, Buffer.from(text), privateKey) }
}

function parsed(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new PlumbError(
      {
        code: 'state-corrupt',
        message: "this host's key cannot be read.",
        where: { file: path },
        remedy: 'Remove the file, remove the host on the server, and enroll again.',
      },
      { cause },
    )
  }
}

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'identity.pem')
}
