// What a host must stay in contact with - its server and its remote - and which of them answer now.
import { httpAnswer, tcpFault } from './connect.ts'

export type ContactName = 'server' | 'remote'

export type Contact = { readonly name: ContactName } & (
  | { readonly kind: 'http'; readonly url: string }
  /** `HOST:PORT`. */
  | { readonly kind: 'tcp'; readonly address: string }
)

/** That something answers is what counts, not what: a name that resolves, a route, a firewall that lets it through. */
export async function answering(contacts: readonly Contact[]): Promise<readonly ContactName[]> {
  const answers = await Promise.all(
    contacts.map(async (contact) => ((await doesAnswer(contact)) ? [contact.name] : [])),
  )
  return answers.flat()
}

/** Of an ssh remote, `ssh://git@host:2222/fleet` or `git@host:fleet`; undefined when it names no host. */
export function sshAddress(remote: string): string | undefined {
  const url = /^[a-z+]+:\/\//i.test(remote) ? URL.parse(remote) : null
  if (url !== null) return url.hostname === '' ? undefined : `${url.hostname}:${url.port || '22'}`
  const host = /^(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+):/.exec(remote)?.[1]
  return host === undefined ? undefined : `${host}:22`
}

async function doesAnswer(contact: Contact): Promise<boolean> {
  switch (contact.kind) {
    case 'http':
      return (await httpAnswer(contact.url, { method: 'HEAD', verified: false })).kind === 'answer'
    case 'tcp':
      return (await tcpFault(contact.address)) === undefined
  }
}
