// What every verb begins with: options and the host's configuration -> an opened agent.

import { realpathSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isSea } from 'node:sea'
import { splitAddress } from '../../shared/address.ts'
import { compact } from '../../shared/compact.ts'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError } from '../../shared/problem.ts'
import { shellWord } from '../../shared/shell-word.ts'
import { type Contact, sshAddress } from '../host/contact.ts'
import { withRestarts } from '../host/daemons.ts'
import { openHost } from '../host/host.ts'
import type { Agent } from '../inspect.ts'
import { mirrorCredentials } from '../report/mirror-credentials.ts'
import { openExistingState, openState } from '../state/state.ts'
import { readStatus } from '../state/status.ts'
import { addressOf } from '../sync/address.ts'
import { openRepository } from '../sync/repository.ts'
import type { Remote } from '../sync/revision.ts'
import {
  type Configuration,
  configurationFile,
  defaultState,
  followsMirror,
  ownHostName,
  readConfiguration,
  repositoryGiven,
  secretsDirectory,
} from './configuration.ts'
import type { HeldHost } from './hold.ts'

/** The options that all verbs on a host share. */
export type HostOptions = {
  readonly root: string
  readonly state: string
  readonly repo?: string
  readonly branch?: string
  readonly host?: string
}

/** For a command that is to be copied: what of them was given, behind a space. */
export function givenWords({ repo, branch, host, root, state }: HostOptions): string {
  const given = {
    repo: repo === undefined ? undefined : splitAddress(repo).url,
    branch,
    host,
    root: root === '/' ? undefined : root,
    state: state === defaultState ? undefined : state,
  }
  return Object.entries(given)
    .flatMap(([name, value]) => (value === undefined ? [] : [` --${name} ${shellWord(value)}`]))
    .join('')
}

/** Checked before every verb: those that read only the state directory would not notice. */
export function requireRoot({ root }: { readonly root?: string }): void {
  if (root === undefined || statSync(root, { throwIfNoEntry: false })?.isDirectory() === true) return
  throw new PlumbError({
    code: 'usage',
    message: `--root ${root}: there is no such directory.`,
    remedy: 'Name the directory that the host is below. Without --root it is this machine.',
  })
}

export type Opened = { readonly agent: Agent; readonly configuration: Configuration }

/** Options win over /etc/plumb/agent.yaml. Throws PlumbError `usage` when neither says which repository. */
export async function openAgent(options: HostOptions): Promise<Opened> {
  const root = resolve(options.root)
  const known = await readConfiguration(root)
  if (options.repo === undefined && known === undefined)
    throw new PlumbError({
      code: 'usage',
      message: `No repository: ${join(root, configurationFile)} is not there.`,
      remedy: 'Add --repo DIR_OR_URL, or make this machine a host by plumb install.',
    })
  const name = options.host === undefined ? (known?.host ?? ownHostName()) : hostNameOption(options.host)
  const branch = options.branch ?? known?.branch
  // Credentials of the known repository are not for another one.
  const { credentials: _, ...others } = known ?? {}
  const configuration: Configuration = {
    ...others,
    host: name,
    ...repositoryGiven(options.repo ?? known?.repository ?? '', known),
    ...compact({ branch }),
  }
  const run = withRestarts(createRun())
  const state = openState(resolve(options.state))
  const remote = await remoteFor(configuration, {
    root,
    stateDirectory: state.directory,
    identity: known?.host ?? name,
  })
  const agent: Agent = {
    name,
    host: openHost({ root, run, hashes: state.hashes, own: ownPlaces(state.directory) }),
    state,
    repository: openRepository({ stateDirectory: state.directory, remote, run }),
    secretsDirectory: secretsDirectory(root),
    contacts: contactsOf(configuration, remote),
  }
  return { agent, configuration }
}

/**
 * For what the state directory alone knows: with a repository where the options or the configuration name one. `isNew`: the directory is
 * made where it is not there yet.
 */
export async function openKept(options: HostOptions, { isNew }: { readonly isNew: boolean }): Promise<HeldHost> {
  if (!isNew) openExistingState(resolve(options.state))
  const known = await readConfiguration(resolve(options.root))
  if ((options.repo ?? known?.repository) !== undefined) {
    const { agent } = await openAgent(options)
    return { name: agent.name, state: agent.state, agent }
  }
  const state = openState(resolve(options.state))
  const name =
    options.host === undefined ? (readStatus(state.directory)?.host ?? ownHostName()) : hostNameOption(options.host)
  return { name, state, agent: undefined }
}

/** Beside what is reserved everywhere, when they are elsewhere. */
export function ownPlaces(stateDirectory: string): readonly string[] {
  return [realpathSync(stateDirectory), ...(isSea() ? [process.execPath] : [])]
}

type Places = {
  readonly root: string
  readonly stateDirectory: string
  /** The host that this machine is, whichever it is asked about. */
  readonly identity: HostName
}

/** The server's own mirror is read under the host's identity, and its certificate is the pinned one. */
async function remoteFor(configuration: Configuration, { root, stateDirectory, identity }: Places): Promise<Remote> {
  const { repository, credentials, branch, certificate } = configuration
  const isMirror = followsMirror(configuration)
  return {
    url: repository,
    ...compact({ branch }),
    ...(isMirror && certificate !== undefined ? { certificate: await readFile(join(root, certificate), 'utf8') } : {}),
    ...(isMirror
      ? { credentials: mirrorCredentials({ stateDirectory, host: identity }) }
      : credentials === undefined
        ? {}
        : { credentials: () => credentials }),
  }
}

/** A directory of this host is nothing that could be lost. */
function contactsOf({ server }: Configuration, remote: Remote): readonly Contact[] {
  const address = addressOf(remote)
  const ssh = address.kind === 'ssh' ? sshAddress(address.url) : undefined
  return [
    ...(server === undefined ? [] : [{ name: 'server', kind: 'http', url: server } as const]),
    ...(address.kind === 'http' ? [{ name: 'remote', kind: 'http', url: address.url } as const] : []),
    ...(ssh === undefined ? [] : [{ name: 'remote', kind: 'tcp', address: ssh } as const]),
  ]
}

export function hostNameOption(text: string): HostName {
  const parsed = hostNameSchema.safeParse(text)
  if (parsed.success) return parsed.data
  throw new PlumbError({
    code: 'usage',
    message: `"${text}" is no host name.`,
    remedy: 'Use lower-case letters, digits, dots and hyphens, as in plumb.yaml.',
  })
}
