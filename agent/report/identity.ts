// Who this host is: an Ed25519 key made once, kept in the state directory, never sent.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { PlumbError } from '../../shared/problem.ts'
import { makeStateDirectory, readIfThere, replaceDurably } from '../state/durable.ts'

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
  const { privateKey } = generateKeyPairSync('ed25519')
  makeStateDirectory(stateDirectory)
  const content = privateKey.export({ type: 'pkcs8', format: 'pem' })
  await replaceDurably([{ path: pathIn(stateDirectory), content }])
  return identityOf(privateKey)
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
        remedy: 'Remove the file, remove the host on the server, and enrol again.',
      },
      { cause },
    )
  }
}

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'identity.pem')
}
