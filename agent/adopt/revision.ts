// A revision as adoption needs it: its files by their path in the repository, each with where it goes on the host and, of a template, what it
// is filled in with there.
import { hash } from 'node:crypto'
import type { HostName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { PlumbError } from '../../shared/problem.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import type { Variables } from '../../shared/repository/fleet.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import { loadRepository } from '../desire/load.ts'
import { type ManagedFile, managedService } from '../desire/managed-files.ts'
import type { Secrets } from '../desire/secrets.ts'
import { parseTemplate, type Reference, secretsIn } from '../desire/template.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { type Piece, piecesOf, renderedText } from './template.ts'

export type OpenRevision = {
  readonly reader: RevisionReader
  readonly entries: ReadonlyMap<string, TreeEntry>
  /** By path in the repository; a path that two services have is not in a repository that lints. */
  readonly files: ReadonlyMap<string, ManagedFile>
  readonly vars: Variables
  readonly repository: Repository
  readonly problems: readonly Problem[]
  /** Undefined when it is not there. */
  read(source: string): Promise<Uint8Array | undefined>
  /** Names of the secrets in a template; none of any other file. */
  secretsOf(source: string): Promise<readonly string[]>
}

export async function openRevision(reader: RevisionReader, host: HostName): Promise<OpenRevision> {
  const [all, { repository, problems }] = await Promise.all([reader.entries(), loadRepository(reader)])
  const entries = new Map(all.map((entry) => [entry.path, entry]))
  const managed = [...repository.services.values()].map((service) => managedService(service))
  const files = new Map(managed.flatMap((service) => service.files.map((file) => [file.source, file])))
  const assignment = servicesFor(repository.fleet, host)
  const read = async (source: string) => {
    const oid = entries.get(source)?.oid
    return oid === undefined ? undefined : await reader.read(oid)
  }
  return {
    reader,
    entries,
    files,
    vars: assignment.kind === 'assigned' ? assignment.vars : new Map(),
    repository,
    problems,
    read,
    secretsOf: async (source) => {
      const file = files.get(source)
      if (file?.kind !== 'file' || !file.settings.template) return []
      return secretsIn(parseTemplate(source, (await read(source)) ?? new Uint8Array()).template)
    },
  }
}

/** What a file was made from when it was applied. */
export type AppliedSource = {
  readonly content: Uint8Array
  /** Of a template. */
  readonly pieces?: readonly Piece[]
  readonly secrets: readonly string[]
}

export type Values = { readonly host: HostName; readonly secrets: Secrets }

/** The source in the first revision that makes what was applied of it; undefined when none does. */
export async function appliedSource(
  { source, sha256 }: { readonly source: string; readonly sha256: string },
  revisions: readonly OpenRevision[],
  values: Values,
): Promise<AppliedSource | undefined> {
  for (const revision of revisions) {
    const found = await sourceIn(revision, source, values)
    const made = found?.pieces === undefined ? found?.content : Buffer.from(renderedText(found.pieces))
    if (made !== undefined && hash('sha256', made, 'hex') === sha256) return found
  }
  return undefined
}

async function sourceIn(revision: OpenRevision, source: string, values: Values): Promise<AppliedSource | undefined> {
  const file = revision.files.get(source)
  const content = await revision.read(source)
  if (file?.kind !== 'file' || content === undefined) return undefined
  if (!file.settings.template) return { content, secrets: [] }
  const { template, problems } = parseTemplate(source, content)
  if (problems.length > 0) return undefined
  const secrets = secretsIn(template)
  const read = await valuesOf(secrets, values.secrets)
  if (read === undefined) return undefined
  const textFor = (reference: Reference) => textOf(reference, { host: values.host, vars: revision.vars, secrets: read })
  return { content, pieces: piecesOf(Buffer.from(content).toString('utf8'), template, textFor), secrets }
}

async function valuesOf(names: readonly string[], secrets: Secrets): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    return new Map(await Promise.all(names.map(async (name) => [name, await secrets.read(name)] as const)))
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}

type Filled = {
  readonly host: string
  readonly vars: Variables
  readonly secrets: ReadonlyMap<string, string>
}

function textOf({ kind, name }: Reference, { host, vars, secrets }: Filled): string {
  switch (kind) {
    case 'host-name':
      return host
    case 'variable':
      return vars.get(name) ?? ''
    case 'secret':
      return secrets.get(name) ?? ''
  }
}
