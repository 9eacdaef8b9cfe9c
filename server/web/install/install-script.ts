// The text of GET /install: what a bare host runs as root. POSIX sh, curl, gzip and sha256sum are all it takes.
import type { Artifact } from './artifacts.ts'
import type { ServerKey } from './install-line.ts'

export type InstallScript = {
  readonly server: URL
  readonly key: ServerKey
  /** PEM; given when hosts would not trust it by themselves. */
  readonly certificate: string | undefined
  /** What hosts follow. */
  readonly repository: string
  readonly artifacts: readonly Pick<Artifact, 'platform' | 'sha256'>[]
}

export function installScript({ server, key, certificate, repository, artifacts }: InstallScript): string {
  const sums = artifacts.map(({ platform, sha256 }) => `    ${platform}) sha256=${sha256} ;;`)
  const pin = key.kind === 'none' ? '' : `sha256//${key.pin}`
  return `#!/bin/sh
# Makes this machine a host of the Plumbline server at ${server.href}
#   curl -fsSL ${new URL('install', server).href} | sh -s -- TOKEN [HOST]      (as root)
set -eu

say() { printf 'install: %s\\n' "$*"; }
stop() { printf 'install: %s\\n' "$*" >&2; exit 1; }

# Called on the last line, so that a download that was cut off runs nothing.
main() {
  token=\${1:-} host=\${2:-}
  [ -n "$token" ] || stop 'a token is missing. Usage: sh -s -- TOKEN [HOST], as root'
  [ "$(id -u)" = 0 ] || stop 'it changes the machine, so it needs root: run the line as root, or install sudo'
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) platform=linux-x64 ;;
    Linux-aarch64) platform=linux-arm64 ;;
    *) stop "there is no agent for $(uname -s) on $(uname -m)" ;;
  esac
  case $platform in
${sums.join('\n')}
    *) stop "the server has no agent for $platform yet: run npm run build on it" ;;
  esac
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  say "fetching the agent for $platform"
  fetch "$work/plumb.gz" ${quoted(new URL('artifacts/', server).href)}"$platform.gz"
  printf '%s  %s\\n' "$sha256" "$work/plumb.gz" | sha256sum -c - >/dev/null 2>&1 ||
    stop "what the server gave is not what this script expects (SHA-256 $sha256). Nothing was installed."
  gzip -dc "$work/plumb.gz" > "$work/plumb"
  install -d -m 0755 /usr/local/bin
  install -m 0755 "$work/plumb" /usr/local/bin/.plumb.new
  mv -f /usr/local/bin/.plumb.new /usr/local/bin/plumb
  set -- --server ${quoted(server.href)} --repo ${quoted(repository)}
  if [ -n "$host" ]; then set -- "$@" --host "$host"; fi
${certificateLines(certificate)}  # In the environment and not an argument: arguments of processes are public.
  PLUMB_TOKEN=$token /usr/local/bin/plumb install "$@"
}

fetch() {
  curl ${['-fsSL', ...pinArguments(key, pin)].join(' ')} -o "$1" "$2"
}

main "$@"
`
}

function pinArguments(key: ServerKey, pin: string): readonly string[] {
  if (key.kind === 'none') return []
  return [...(key.kind === 'self-signed' ? ['--insecure'] : []), '--pinnedpubkey', quoted(pin)]
}

function certificateLines(certificate: string | undefined): string {
  if (certificate === undefined) return ''
  return `  cat > "$work/server.pem" <<'CERTIFICATE'
${certificate.trim()}
CERTIFICATE
  set -- "$@" --certificate "$work/server.pem"
`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
