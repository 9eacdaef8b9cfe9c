// A remote as the operator names it -> its address without user and password, and an operator whose git knows them. They go by the
// environment: arguments of processes are public, and git repeats the address in what it says.
import { splitAddress } from '../../shared/address.ts'
import type { Operator } from '../host/operator.ts'

export type Reaching = { readonly url: string | undefined; readonly operator: Operator }

/** `remote`: a name, a directory or an address; undefined stays so. */
export function reaching(remote: string | undefined, operator: Operator): Reaching {
  if (remote === undefined) return { url: remote, operator }
  const { url, credentials } = splitAddress(remote)
  if (credentials === undefined) return { url, operator }
  const { environment } = operator
  // The operator's own environment may hand settings to git in the same way.
  const count = Number(environment['GIT_CONFIG_COUNT'] ?? 0)
  const basic = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')
  return {
    url,
    operator: {
      ...operator,
      environment: {
        ...environment,
        GIT_CONFIG_COUNT: String(count + 1),
        [`GIT_CONFIG_KEY_${count}`]: `http.${url}.extraHeader`,
        [`GIT_CONFIG_VALUE_${count}`]: `Authorization: Basic ${basic}`,
      },
    },
  }
}
