// What this host shows to read the server's mirror of the repository: a password that its key signs anew for every request.
import type { HostName } from '../../shared/names.ts'
import { mirrorText } from '../../shared/protocol.ts'
import type { Remote } from '../sync/revision.ts'
import { readIdentity } from './identity.ts'

export type MirrorReader = { readonly stateDirectory: string; readonly host: HostName }

/** A host without a key shows an empty password and is told so by the server's 401. */
export function mirrorCredentials({ stateDirectory, host }: MirrorReader): NonNullable<Remote['credentials']> {
  return () => {
    const issuedAt = Math.floor(Date.now() / 1000)
    const signature = readIdentity(stateDirectory)?.sign(mirrorText(host, issuedAt)).toString('base64url')
    return { username: host, password: signature === undefined ? '' : `${issuedAt}.${signature}` }
  }
}
