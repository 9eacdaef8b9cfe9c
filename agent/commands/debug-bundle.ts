// `plumb debug bundle`: one archive for a bug report, on a host whose agent may be down and whose disk may be full.
import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { hostNameSchema } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError, type Problem, problemLine } from '../../shared/problem.ts'
import { debugBundleOf } from '../debug/bundle.ts'
import { diskFigures } from '../debug/host-parts.ts'
import { isFault, leftOutText } from '../debug/part.ts'
import { defaultState, readConfiguration } from './configuration.ts'
import type { Output } from './output.ts'

export type DebugBundleOptions = {
  readonly root: string
  readonly state: string
  readonly output?: string
}

/** Below this, an agent that works can soon no longer write. */
const fewMegabytes = 100

/** Exits with 0 when all that belongs in it is there, with 1 when something is missing or nothing was written. */
export async function debugBundle(options: DebugBundleOptions, output: Output): Promise<number> {
  const now = new Date()
  const file = resolve(options.output ?? `plumb-debug-${await hostName(options.root)}-${stamp(now)}.tar.gz`)
  const bundle = await debugBundleOf(
    { root: options.root, state: options.state, output: dirname(file) },
    {
      run: createRun(),
      now,
      hasUnit: options.root === '/' && options.state === defaultState,
      progress: output.progress,
    },
  )
  await writeNew(file, bundle.archive)
  const faults = bundle.leftOut.filter(isFault)
  const problems = [...asUser(), ...(await nearlyFull(options.state))]
  output.print({
    json: { file, bytes: bundle.archive.length, parts: bundle.parts, leftOut: bundle.leftOut, problems },
    text: [
      `${file}: ${Math.ceil(bundle.archive.length / 1024)} KiB, readable by you alone`,
      ...bundle.parts.map(({ name, isCut }) => `  ${name}${isCut ? ' (only the end)' : ''}`),
      ...(bundle.leftOut.length > 0 ? ['left out:', ...bundle.leftOut.map((one) => `  ${leftOutText(one)}`)] : []),
      ...problems.map(problemLine),
      'Known secrets are masked. Read it before you send it: tar -xzf FILE, then plumb-debug/CONTENTS.txt',
    ],
  })
  return faults.length > 0 ? 1 : 0
}

/** As it was installed, else the machine's own. Of a machine that cannot be a host by its name, such as `web_1`, there is a bundle too. */
async function hostName(root: string): Promise<string> {
  // A damaged configuration is what a bundle may be about.
  const known = await readConfiguration(resolve(root)).catch(() => undefined)
  if (known !== undefined) return known.host
  return hostNameSchema.safeParse(hostname().toLowerCase()).data ?? 'host'
}

/** Never over a file that is there, and never through a link: it may be made by root in a directory of others. */
async function writeNew(path: string, content: Uint8Array): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600).catch((error: unknown) => Promise.reject(notWritten(path, error)))
  try {
    await file.writeFile(content)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw notWritten(path, error)
  } finally {
    await file.close()
  }
}

function notWritten(path: string, error: unknown): PlumbError {
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new PlumbError({
      code: 'disk-full',
      message: 'there is no room for the bundle.',
      where: { file: path },
      remedy: 'Write it to another file system: plumb debug bundle --output /run/plumb-debug.tar.gz',
    })
  return new PlumbError({
    code: 'usage',
    message:
      errno === 'EEXIST' ? 'the file is there already.' : `the bundle cannot be written (${errno ?? String(error)}).`,
    where: { file: path },
    remedy: 'Name another file by --output.',
  })
}

function asUser(): readonly Problem[] {
  if (process.getuid?.() === 0) return []
  return [
    {
      code: 'usage',
      message: 'not run as root: state, settings and log of the agent are for root alone.',
      remedy: 'Run: sudo plumb debug bundle',
    },
  ]
}

async function nearlyFull(state: string): Promise<readonly Problem[]> {
  const disk = (await diskFigures(state)) ?? (await diskFigures('/'))
  if (disk === undefined || disk.freeMegabytes >= fewMegabytes) return []
  return [
    {
      code: 'disk-full',
      message: `the disk is nearly full: ${disk.freeMegabytes} of ${disk.totalMegabytes} MB are free.`,
      where: { file: disk.path },
      remedy: 'Make room: the agent rolls back what does not fit.',
    },
  ]
}

/** `20261130T221500Z` */
function stamp(now: Date): string {
  return now.toISOString().replaceAll(/[-:]|\.\d+/g, '')
}
