// A fleet repository behind both kinds of remote, and a host's state directory; removed after each test.
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { openRepository, type Repository, type RepositoryOptions } from '../../../agent/sync/repository.ts'
import type { Remote, RevisionReader } from '../../../agent/sync/revision.ts'
import { createRun } from '../../../shared/platform/run.ts'
import {
  makeRepository,
  type ServedRepository,
  type ServeOptions,
  serveRepository,
  type TestFiles,
} from '../../support/git.ts'

const leaving: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const leave of leaving.splice(0).reverse()) await leave()
})

export function afterwards(leave: () => Promise<void>): void {
  leaving.push(leave)
}

export async function stateDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-state-'))
  afterwards(() => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
  return directory
}

export type Kind = 'http' | 'local'
export const kinds: readonly Kind[] = ['http', 'local']

export async function fleetWith(files?: TestFiles) {
  const fleet = await makeRepository(files)
  afterwards(fleet.remove)
  return fleet
}

export async function served(
  fleet: { readonly gitDirectory: string },
  options?: ServeOptions,
): Promise<ServedRepository> {
  const remote = await serveRepository(fleet, options)
  afterwards(() => remote.close().catch(() => undefined))
  return remote
}

/** A remote of that kind, a state directory, and `open` for a fresh process's view of them. */
export async function host(kind: Kind, files: TestFiles = { 'plumb.yaml': 'version: 1\n' }) {
  const fleet = await fleetWith(files)
  const remote = kind === 'http' ? await served(fleet) : undefined
  const state = await stateDirectory()
  const url = remote?.url ?? fleet.directory
  const open = (options: Partial<RepositoryOptions> & { readonly branch?: string } = {}): Repository => {
    const { branch, ...rest } = options
    return openWith(state, { url, ...(branch === undefined ? {} : { branch }) }, rest)
  }
  const goAway = async () =>
    remote === undefined ? await rm(fleet.gitDirectory, { recursive: true }) : await remote.close()
  return { fleet, remote, state, url, open, goAway }
}

export function openWith(state: string, remote: Remote, options: Partial<RepositoryOptions> = {}): Repository {
  return openRepository({ stateDirectory: state, remote, run: createRun(), ...options })
}

export async function texts(reader: RevisionReader | undefined): Promise<Record<string, string>> {
  const entries = (await reader?.entries()) ?? []
  const contents = (await reader?.readMany(entries.map(({ oid }) => oid))) ?? []
  return Object.fromEntries(
    entries.map(({ path }, index) => [path, Buffer.from(contents[index] ?? '').toString('utf8')]),
  )
}

/** Names in objects/pack of the copy that is current. */
export async function packFiles(state: string): Promise<readonly string[]> {
  const packs = join(await copyOf(state), 'objects/pack')
  return (await readdir(packs)).filter((name) => /\.(?:pack|idx)$/.test(name)).map((name) => join(packs, name))
}

export async function copyOf(state: string): Promise<string> {
  return await realpath(join(state, 'repository/current'))
}

export async function markOf(state: string): Promise<string | undefined> {
  const text = await readFile(join(state, 'repository/mark.json'), 'utf8').catch(() => '{}')
  return JSON.parse(text).revision
}
