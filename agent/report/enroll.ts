// Enrollment: a one-time token and this host's public key -> a host the server knows.
import type { HostName } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type EnrollRequest, enrollPath, enrollResponseSchema } from '../../shared/protocol.ts'
import { ensureIdentity } from './identity.ts'
import { notAServer, requestServer } from './request-server.ts'
import { serverUrl } from './server-tls.ts'

export type Enrollment = {
  readonly server: string
  readonly token: string
  readonly host: HostName
  readonly stateDirectory: string
  /** PEM of a certificate with the one key the server may have. */
  readonly certificate?: string
}

/** Throws PlumbError `token-refused`, `server-unreachable` or `server-untrusted`; this host is then as it was, but for its key. */
export async function enroll({ server, token, host, stateDirectory, certificate }: Enrollment): Promise<void> {
  const url = new URL(enrollPath, serverUrl(server))
  const { publicKey } = await ensureIdentity(stateDirectory)
  const body: EnrollRequest = { token, host, publicKey }
  const remedy = 'Check the address and the network, then run it again: the token is still good.'
  const answer = await requestServer({ url, body, certificate, remedy })
  if (answer.kind === 'answered') {
    if (enrollResponseSchema.safeParse(answer.json).data?.host === host) return
    throw notAServer(url, answer.status)
  }
  throw new PlumbError({
    code: 'token-refused',
    message: `${url.origin} did not enroll ${host}: ${answer.message}`,
    remedy: answer.remedy ?? 'Make a new install line on the server.',
  })
}
