// A fleet repository as real files in a temporary directory, read as a revision.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Desire, desiredFor } from '../../../agent/desire/desire.ts'
import type { Digests } from '../../../agent/desire/digests.ts'
import { type Secrets, secretsOf } from '../../../agent/desire/secrets.ts'
import { readWorkTree } from '../../../agent/desire/work-tree.ts'
import type { RevisionReader } from '../../../agent/sync/revision.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { type Problem, problemsOf } from '../../../shared/problem.ts'
import type { DesiredService, Resource } from '../../../shared/resource.ts'

type Content = string | Uint8Array | { readonly executable: string } | { readonly link: string }
export type Files = Readonly<Record<string, Content>>

/** Every service gets its README, and the host `web-1` all services, unless the files say otherwise. */
export function fleetDirectory(files: Files): string {
  const directory = temporaryDirectory()
  const services = [...new Set(Object.keys(files).flatMap((path) => /^services\/([^/]+)\//.exec(path)?.[1] ?? []))]
  const plumb = `version: 1\nhosts: { web-1: { services: [${services.join(', ')}] } }\n`
  const readmes = Object.fromEntries(services.map((name) => [`services/${name}/README.md`, `# ${name}\n`]))
  for (const [path, content] of Object.entries({ 'plumb.yaml': plumb, ...readmes, ...files }))
    place(join(directory, path), content)
  return directory
}

/** Secrets as files of a root-only directory. */
export async function secretsWith(values: Readonly<Record<string, string>>): Promise<Secrets> {
  const directory = temporaryDirectory()
  for (const [name, value] of Object.entries(values)) writeFileSync(join(directory, name), value, { mode: 0o600 })
  return await secretsOf(directory)
}

export async function readerOf(files: Files): Promise<RevisionReader> {
  return (await readWorkTree(fleetDirectory(files))).reader
}

export type Asked = {
  readonly host?: string
  readonly secrets?: Secrets
  readonly digests?: Digests
  readonly reader?: RevisionReader
}

export async function desire(files: Files, asked: Asked = {}): Promise<Desire> {
  return await desiredFor({
    reader: asked.reader ?? (await readerOf(files)),
    host: hostNameSchema.parse(asked.host ?? 'web-1'),
    secrets: asked.secrets ?? (await secretsWith({})),
    digests: asked.digests ?? new Map(),
  })
}

/** The only service of the only host. */
export async function desiredService(files: Files, asked: Asked = {}): Promise<DesiredService> {
  const { desired } = await desire(files, asked)
  const [service] = desired.services
  if (service === undefined || desired.services.length > 1) throw new Error('expected one service')
  return service
}

export function ofKind<Kind extends Resource['kind']>(kind: Kind, { resources }: DesiredService) {
  return resources.filter((resource): resource is Extract<Resource, { kind: Kind }> => resource.kind === kind)
}

export async function refusal(attempt: Promise<unknown>): Promise<readonly Problem[]> {
  try {
    await attempt
  } catch (error) {
    return problemsOf(error)
  }
  throw new Error('expected a refusal')
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-desire-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function place(path: string, content: Content): void {
  mkdirSync(dirname(path), { recursive: true })
  if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(path, content)
  else if ('link' in content) symlinkSync(content.link, path)
  else {
    writeFileSync(path, content.executable)
    chmodSync(path, 0o755)
  }
}
