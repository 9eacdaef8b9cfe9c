// Who may use a route: each role, how a request proves it, and what to do where it does not.
import type { Context } from 'hono'
import type { HostName } from '../../shared/names.ts'
import type { Access } from './access.ts'

/** `syncer`: the operator, or CI by its own token. `host`: an enrolled host, by its own key. */
export type Role = 'anyone' | 'reader' | 'syncer' | 'operator' | 'host' | 'reader-or-host'

/** By what the request is let in. */
export type Caller =
  | { readonly kind: Exclude<Role, 'host' | 'reader-or-host'> }
  | { readonly kind: 'host'; readonly host: HostName }

/** Undefined: not allowed. */
export type Roles = Readonly<Record<Role, (context: Context) => Promise<Caller | undefined>>>

export type RoleParts = {
  readonly access: Pick<Access, 'mayRead' | 'maySync' | 'isOperator'>
  /** The enrolled host by whose key the request is signed. */
  hostOf(request: Request): Promise<HostName | undefined>
}

export function createRoles({ access, hostOf }: RoleParts): Roles {
  const roles: Roles = {
    anyone: async () => ({ kind: 'anyone' }),
    reader: async (context) => ((await access.mayRead(context)) ? { kind: 'reader' } : undefined),
    syncer: async (context) => ((await access.maySync(context)) ? { kind: 'syncer' } : undefined),
    operator: async (context) => ((await access.isOperator(context)) ? { kind: 'operator' } : undefined),
    async host(context) {
      const host = await hostOf(context.req.raw)
      return host === undefined ? undefined : { kind: 'host', host }
    },
    'reader-or-host': async (context) => (await roles.reader(context)) ?? (await roles.host(context)),
  }
  return roles
}

const signIn = 'Authorization: Bearer OPERATOR-TOKEN, or sign in at /login.'

/** How a client of the API shows that it has the role. */
export const roleRemedies: Readonly<Record<Role, string>> = {
  anyone: signIn,
  reader: signIn,
  'reader-or-host': signIn,
  syncer: 'Use the sync token or the operator token of the data directory.',
  operator: 'The operator token is in the file operator-token of the data directory.',
  host: 'A host signs in with its own key.',
}
