// The one line for a bare host. It pins the server's key, so that whoever sits in between cannot change what is installed.
import type { HostName } from '../../../shared/names.ts'

export type ServerKey =
  /** `pin`: SHA-256 of the public key in base64, as curl takes it. */
  { readonly kind: 'self-signed' | 'certified'; readonly pin: string } | { readonly kind: 'none' }

export function installLine(server: URL, key: ServerKey, token: string, host: HostName | undefined): string {
  const script = new URL('install', server).href
  const run = [`${asRoot} sh -s --`, token, ...(host === undefined ? [] : [host])].join(' ')
  return `curl ${['-fsSL', ...pinning(key), script].join(' ')} | ${run}`
}

/** By sudo where there is one, else as who runs the line: a bare machine has root alone. A shell of its own knows no alias. */
const asRoot = "$(sh -c 'command -v sudo')"

/** `hasAgent`: there is an executable for the line to install. Undefined where nothing is wrong with it. */
export function installWarning(server: URL, { hasAgent }: { readonly hasAgent: boolean }): string | undefined {
  const noAgent =
    'No agent is built on this server, so the line finds nothing to install: run npm run build there first.'
  const risk = 'Plain http: whoever sits in between can read the token and change what is installed.'
  const remedy = 'Agents accept it on this very machine alone; for others start the server with --tls-self-signed.'
  const warnings = [...(hasAgent ? [] : [noAgent]), ...(server.protocol === 'https:' ? [] : [`${risk} ${remedy}`])]
  return warnings.length === 0 ? undefined : warnings.join(' ')
}

/** curl checks a pin even where --insecure spares it the chain of a self-signed certificate. */
function pinning(key: ServerKey): readonly string[] {
  switch (key.kind) {
    case 'none':
      return []
    case 'certified':
      return ['--pinnedpubkey', `'sha256//${key.pin}'`]
    case 'self-signed':
      return ['--insecure', '--pinnedpubkey', `'sha256//${key.pin}'`]
  }
}
