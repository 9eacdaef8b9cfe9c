// Which package manager's log a host has.

import type { Run } from '../../../shared/command.ts'
import { packageProvider } from '../packages/detect.ts'
import { dnfLog } from './dnf-log.ts'
import { dpkgLog } from './dpkg-log.ts'
import type { PackageLog } from './logged.ts'
import { pacmanLog } from './pacman-log.ts'

/** Undefined where none is read. Throws PlumbError where there is no package manager. */
export async function packageLogOf(query: Run): Promise<PackageLog | undefined> {
  const { name } = await packageProvider(query)
  switch (name) {
    case 'apt':
      return dpkgLog
    case 'dnf':
      return dnfLog
    case 'pacman':
      return pacmanLog
    case 'apk':
      // Only apk-tools 3 writes one, and no host with it could be had to see what it says.
      return undefined
  }
}
