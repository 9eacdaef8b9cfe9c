// The templates of a host's services, filled in with its variables, name and secrets; a secret is read only when one names it.
import { compact } from '../../shared/compact.ts'
import type { HostName, Sha256 } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { Variables } from '../../shared/repository/fleet.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { sha256Of } from './digests.ts'
import { environmentReaders } from './environment-files.ts'
import { inexactValues, type Reader } from './exact-values.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import type { Secrets } from './secrets.ts'
import {
  missingSecrets,
  parseTemplate,
  type Reference,
  rendered,
  secretsIn,
  type Template,
  templateLines,
  unknownVariables,
} from './template.ts'

type Rendering = {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  readonly secrets: readonly string[]
  readonly templateLines?: readonly number[]
}

/** By path inside the repository. */
export type Renderings = ReadonlyMap<string, Rendering>

export type Rendered = {
  readonly renderings: Renderings
  /** Why a template cannot be filled in on this host: its secrets. By path inside the repository. */
  readonly withheld: ReadonlyMap<string, readonly Problem[]>
  /** What is wrong with the revision. */
  readonly problems: readonly Problem[]
}

export type Values = { readonly host: HostName; readonly vars: Variables; readonly secrets: Secrets }

export async function renderTemplates(
  services: readonly ManagedService[],
  values: Values,
  reader: RevisionReader,
): Promise<Rendered> {
  const parsed = await readTemplates(services, reader)
  const vars = new Set(values.vars.keys())
  const problems = parsed.flatMap(({ template, problems: own, service }) =>
    [...own, ...unknownVariables(template, vars)].map((problem) => ({ ...problem, service })),
  )
  if (problems.length > 0) return { renderings: new Map(), withheld: new Map(), problems }
  const secrets = await readSecrets(
    parsed.map(({ template }) => template),
    values.secrets,
  )
  const withheld = new Map<string, readonly Problem[]>()
  const renderings = new Map<string, Rendering>()
  for (const { template, service, readers } of parsed) {
    const unfilled = lackingSecrets(template, secrets.unreadable, values.secrets)
    const textOf = (reference: Reference) => textFor(reference, values, secrets.values)
    const inexact = () => readers.flatMap((readBy) => inexactValues({ template, textOf }, readBy))
    const lacking = unfilled.length > 0 ? unfilled : inexact()
    if (lacking.length > 0)
      withheld.set(
        template.source,
        lacking.map((problem) => ({ ...problem, service })),
      )
    else renderings.set(template.source, renderingOf(template, textOf))
  }
  return { renderings, withheld, problems: [] }
}

function renderingOf(template: Template, textOf: (reference: Reference) => string): Rendering {
  const bytes = rendered(template, textOf)
  const lines = templateLines(template, textOf)
  const rendering = { bytes, sha256: sha256Of(bytes), secrets: secretsIn(template) }
  return { ...rendering, ...compact({ templateLines: lines }) }
}

export type ServiceTemplate = {
  readonly service: string
  readonly template: Template
  /** Whose syntax the values must not meet, where that is known. */
  readonly readers: readonly Reader[]
  readonly problems: readonly Problem[]
}

export async function readTemplates(
  services: readonly ManagedService[],
  reader: RevisionReader,
): Promise<readonly ServiceTemplate[]> {
  const templates = services.flatMap((managed) =>
    managed.files.flatMap((file) => (file.kind === 'file' && file.settings.template ? [{ file, managed }] : [])),
  )
  const environments = templates.length === 0 ? new Map() : await environmentReaders(services, reader)
  const files = templates.map(({ file, managed }) => ({
    service: managed.service.name,
    source: file.source,
    oid: file.oid,
    readers: readersOf(file, managed, environments.get(file.target) ?? []),
  }))
  const contents = files.length === 0 ? [] : await reader.readMany(files.map(({ oid }) => oid))
  return files.map(({ oid: _, source, ...file }, index) => ({
    ...file,
    ...parseTemplate(source, contents[index] ?? new Uint8Array()),
  }))
}

/** Those that name it, and those that follow from its own name. */
function readersOf(
  { target, inProject }: ManagedFile,
  { project }: ManagedService,
  named: readonly Reader[],
): readonly Reader[] {
  if (target.startsWith(`${unitDirectory}/`)) return ['unit']
  if (!inProject) return named
  if (target === project?.file || project?.overrides?.includes(target)) return ['compose']
  if (target === `${project?.directory}/.env`) return [...new Set<Reader>(['environment', ...named])]
  const name = target.slice(target.lastIndexOf('/') + 1)
  return named.length === 0 && /^\.env(?:\.|$)|\.env$/.test(name) ? ['environment'] : named
}

async function readSecrets(templates: readonly Template[], secrets: Secrets) {
  const values = new Map<string, string>()
  const unreadable = new Map<string, readonly Problem[]>()
  for (const name of new Set(templates.flatMap(secretsIn))) {
    try {
      values.set(name, await secrets.read(name))
    } catch (error) {
      unreadable.set(name, problemsOf(error))
    }
  }
  return { values, unreadable }
}

/** Of a secret that does not exist, the places where the template names it; of any other, the reason. */
function lackingSecrets(
  template: Template,
  unreadable: ReadonlyMap<string, readonly Problem[]>,
  secrets: Secrets,
): readonly Problem[] {
  const absent = secrets.isListed ? missingSecrets(template, secrets) : []
  const others = secretsIn(template).filter((name) => !secrets.isListed || secrets.names.has(name))
  return [...absent, ...others.flatMap((name) => unreadable.get(name) ?? [])]
}

function textFor(reference: Reference, { host, vars }: Values, secrets: ReadonlyMap<string, string>): string {
  switch (reference.kind) {
    case 'host-name':
      return host
    case 'variable':
      return vars.get(reference.name) ?? ''
    case 'secret':
      return secrets.get(reference.name) ?? ''
  }
}
