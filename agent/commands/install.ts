// `plumb install`: makes this machine a host. Pins host, repository and server, enrolls, applies in the foreground so that
// the person sees it happen, and leaves the agent running as a systemd service. Run again, it does only what is missing.
// Decision: docs/decisions/2026-11-23-only-a-person-repairs-drift.md

import { copyFile, mkdir, readFile, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isSea } from 'node:sea'
import { endText, type Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { absolutePathSchema, type HostName } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Change } from '../../shared/report.ts'
import type { FileWriter } from '../host/files.ts'
import { type HostWriter, openHost } from '../host/host.ts'
import { createReconciler } from '../reconcile.ts'
import { ServerConnection } from '../report/connection.ts'
import { noteEnrolled, readEnrolled } from '../report/enrolled.ts'
import { readIdentity } from '../report/identity.ts'
import { machineMarker } from '../report/machine.ts'
import { openSpool, type Spool } from '../report/spool.ts'
import { acquireLock, type Lock } from '../state/lock.ts'
import { writeStatus } from '../state/status.ts'
import { addressOf } from '../sync/address.ts'
import { agentVersion } from '../version.ts'
import { agentUnit } from './agent-unit.ts'
import {
  type Configuration,
  ownHostName,
  readConfiguration,
  repositoryGiven,
  writeConfiguration,
} from './configuration.ts'
import { enrollHost } from './enroll.ts'
import { type HostOptions, hostNameOption, openAgent } from './open.ts'
import { goOnWithoutTerminal, type Output } from './output.ts'
import { placeFile } from './place-file.ts'
import { status } from './status.ts'

export type InstallOptions = HostOptions & {
  readonly server?: string
  /** PEM file of the server's certificate; copied to /etc/plumb. */
  readonly certificate?: string
}

/** Every step does only what is missing, so a run that was cut off is run again. Exits as `plumb apply` does. */
export async function install(options: InstallOptions, output: Output): Promise<number> {
  const host = openHost({ root: resolve(options.root), run: createRun(), own: 'all' })
  if (process.geteuid?.() !== 0 && host.capabilities.units)
    throw new PlumbError({ code: 'usage', message: 'It changes this machine, so it needs root.', remedy: 'Use sudo.' })
  const known = await readConfiguration(host.root)
  const configuration = configurationFor(options, known)
  if (known !== undefined && known.host !== configuration.host) throw isAnotherHost(known.host, configuration.host)
  const { server, repository } = configuration
  if (server !== undefined && readEnrolled(options.state) !== server) {
    await enrollHost(
      { server, host: configuration.host, state: options.state, ...certificateOf(options, configuration) },
      output,
    )
    await noteEnrolled(options.state, server)
  }
  // Not before: a machine whose token was refused is no host, and is left as it was.
  if (options.certificate !== undefined) await keepCertificate(options.certificate, host.files)
  await writeConfiguration(host.files, configuration)
  output.progress(`${configuration.host} follows ${repository}`)
  goOnWithoutTerminal()
  const outcome = await firstPass(options, output)
  if (host.capabilities.units) {
    await installService(host)
    const next = outcome === 0 ? 'keeps it in sync' : 'tries again'
    output.progress(`plumb.service is enabled and ${next}; its log: journalctl -u plumb`)
  }
  return outcome
}

/** One pass as the agent makes it, in the foreground; the agent that starts next sends its report. */
async function firstPass({ root, state }: HostOptions, output: Output): Promise<number> {
  const { agent, configuration } = await openAgent({ root, state })
  const { directory } = agent.state
  const spool = openSpool(directory)
  const presence = await presenceAt(configuration, { directory, root: agent.host.root, spool })
  try {
    const onChange = ({ service, summary }: Change) => output.progress(`${service}: ${summary}`)
    const reconciler = createReconciler(agent)
    await reconciler.sync(new AbortController().signal)
    const { report } = await reconciler.pass({ full: false, onChange })
    writeStatus(directory, report)
    if (configuration.server !== undefined) spool.add(report)
  } finally {
    presence?.end()
  }
  return status(state, output)
}

type Places = { readonly directory: string; readonly root: string; readonly spool: Spool }

/** For as long as the first apply takes the server is to hear that the host is there. An agent that runs tells it already. */
async function presenceAt(
  { server, certificate, host }: Configuration,
  { directory, root, spool }: Places,
): Promise<{ end(): void } | undefined> {
  const identity = readIdentity(directory)
  const only = server === undefined || identity === undefined ? undefined : await agentLock(directory)
  if (server === undefined || identity === undefined || only === undefined) return undefined
  const nothing = () => undefined
  const connection = new ServerConnection({
    ...{ server, host, identity, agentVersion, spool, machine: machineMarker(root) },
    // What it is asked now, the agent is told when it connects.
    ...{ asked: nothing, held: nothing, noted: nothing, takenForCopy: nothing, random: Math.random },
    ...(certificate === undefined ? {} : { certificate: await readFile(join(root, certificate), 'utf8') }),
  })
  return {
    end: () => {
      connection.close()
      only.release()
    },
  }
}

async function agentLock(directory: string): Promise<Lock | undefined> {
  try {
    return await acquireLock(join(directory, 'agent-lock'), { purpose: 'plumb install', now: new Date() })
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}

/** The services of the host that this machine is would be removed from it. */
function isAnotherHost(known: HostName, wanted: HostName): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `This machine is the host ${known}, not ${wanted}. Nothing was changed.`,
    remedy: `Run the line on the other machine. To make this one ${wanted}: rm -f /etc/plumb/agent.yaml /var/lib/plumb/enrolled, then the line again.`,
  })
}

function certificateOf({ certificate, root }: InstallOptions, known: Configuration) {
  const file = certificate ?? (known.certificate === undefined ? undefined : join(root, known.certificate))
  return file === undefined ? {} : { certificate: file }
}

/** What is to be pinned on this host. Throws PlumbError `usage`. */
function configurationFor(options: InstallOptions, known: Configuration | undefined): Configuration {
  const named = options.repo ?? environmentText('PLUMB_REPOSITORY')
  const given = named === undefined ? known?.repository : pinnedRepository(named)
  if (given === undefined)
    throw new PlumbError({
      code: 'usage',
      message: 'No repository was given.',
      remedy: 'Add --repo URL or --repo DIR, or set PLUMB_REPOSITORY.',
    })
  const pinned = repositoryGiven(given, known)
  addressOf({ url: pinned.repository })
  const branch = options.branch ?? known?.branch
  const server = options.server ?? known?.server
  const certificate = options.certificate === undefined ? known?.certificate : certificateFile
  return {
    host: options.host === undefined ? (known?.host ?? ownHostName()) : hostNameOption(options.host),
    ...pinned,
    ...compact({ branch, server, certificate }),
  }
}

/** The executable in its place, the unit enabled and running (again, when it was). */
async function installService({ files, run }: HostWriter): Promise<void> {
  await installExecutable()
  await placeFile(files, { path: unitFile, text: agentUnit(executable), mode: 0o644 })
  await systemctl(run, ['daemon-reload'])
  await systemctl(run, ['enable', unitName])
  await systemctl(run, ['restart', unitName])
}

const unitName = 'plumb.service'
const unitFile = absolutePathSchema.parse(`/etc/systemd/system/${unitName}`)
const certificateFile = absolutePathSchema.parse('/etc/plumb/server.pem')
const executable = '/usr/local/bin/plumb'

async function installExecutable(): Promise<void> {
  if (process.execPath === executable) return
  if (!isSea())
    throw new PlumbError({
      code: 'usage',
      message: 'This is plumb from a checkout; a host gets the single executable.',
      remedy: 'npm run build, then run build/plumb-linux-x64 install ...',
    })
  await mkdir('/usr/local/bin', { recursive: true })
  await copyFile(process.execPath, `${executable}.new`)
  await rename(`${executable}.new`, executable)
}

function environmentText(name: string): string | undefined {
  const text = process.env[name]
  return text === '' ? undefined : text
}

/** A directory is pinned by its whole path: the agent starts elsewhere. */
function pinnedRepository(repository: string): string {
  return /^[^/]+:/.test(repository) ? repository : resolve(repository)
}

async function keepCertificate(file: string, files: FileWriter): Promise<void> {
  const text = await readFile(file, 'utf8')
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new PlumbError({ code: 'usage', message: `${file} holds no PEM certificate.` })
  await placeFile(files, { path: certificateFile, text, mode: 0o644 })
}

async function systemctl(run: Run, args: readonly string[]): Promise<void> {
  const command = { args: ['systemctl', ...args] }
  const result = await run(command)
  if (result.code === 0) return
  throw new PlumbError({
    code: 'internal',
    message: `${command.args.join(' ')}: ${endText(command, result)}: ${result.stderr.trim()}`,
    remedy: 'plumb install needs a running systemd. Look at: systemctl status plumb',
  })
}
