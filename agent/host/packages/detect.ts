// Which package manager a host has.

import type { Run } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import { apk } from './apk.ts'
import { apt } from './apt.ts'
import { dnf } from './dnf.ts'
import { pacman } from './pacman.ts'
import type { PackageProvider } from './provider.ts'

/** Asked once for each host; a host that has none may get one, and is asked again. */
export function packageProvider(query: Run): Promise<PackageProvider> {
  const known = found.get(query)
  if (known !== undefined) return known
  const asked = detect(query)
  found.set(query, asked)
  asked.catch(() => found.delete(query))
  return asked
}

const found = new WeakMap<Run, Promise<PackageProvider>>()

/**
 * Where each keeps what it knows, and the program itself. Distributions carry each other's package managers: the one
 * whose records have something in them is the host's own, and dpkg's are empty on a Fedora that has dpkg installed.
 */
const traces: readonly { readonly provider: PackageProvider; readonly all: readonly (readonly string[])[] }[] = [
  { provider: apt, all: [['/usr/bin/apt-get'], ['/var/lib/dpkg/status']] },
  {
    provider: apk,
    all: [
      ['/sbin/apk', '/usr/bin/apk'],
      ['/lib/apk/db/installed', '/usr/lib/apk/db/installed'],
    ],
  },
  { provider: pacman, all: [['/usr/bin/pacman'], ['/var/lib/pacman/local/ALPM_DB_VERSION']] },
  { provider: dnf, all: [['/usr/bin/dnf']] },
]

async function detect(query: Run): Promise<PackageProvider> {
  const paths = traces.flatMap(({ all }) => all.flat())
  const { stdout } = await query({ args: ['find', '-L', ...paths, '-maxdepth', '0', '-size', '+0'] })
  const there = new Set(stdout.split('\n'))
  const host = traces.find(({ all }) => all.every((places) => places.some((place) => there.has(place))))
  if (host !== undefined) return host.provider
  throw new PlumbError({
    code: 'observe-failed',
    message: 'Packages cannot be looked at: this host has none of apt, dnf, apk and pacman.',
    remedy: 'Leave `packages` out of what this host has.',
  })
}
