// Credentials for the server's mirror of the repository: a password that the host's key signs for each request.
import type { HostName } from '../../shared/names.ts'
import { mirrorText } from '../../shared/protocol.ts'
import type { Remote } from '../sync/revision.ts'
import { readIdentity } from './identity.ts'

export type MirrorReader = { readonly stateDirectory: string; readonly host: HostName }

/** A host without a key sends an empty password and gets a 401. */
export function mirrorCredentials({ stateDirectory, host }: MirrorReader): NonNullable<Remote['credentials']> {
  return () => {
    const issuedAt = Math.floor(Date.now() / 1000)
    const signature = readIdentity(stateDirectory)?.sign(mirrorText(host, issuedAt)).toString('base64url')
    return { username: host, password: signature === undefined ? '' : `${issuedAt}.${signature}` }
  }
}
