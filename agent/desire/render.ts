// The templates of a host's services, filled in with its variables, name and secrets; a secret is read only when one names it.
import type { HostName, Sha256 } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { Variables } from '../../shared/repository/fleet.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { sha256Of } from './digests.ts'
import type { ManagedService } from './managed-files.ts'
import type { Secrets } from './secrets.ts'
import {
  parseTemplate,
  type Reference,
  rendered,
  secretsIn,
  type Template,
  templateLines,
  unknownReferences,
} from './template.ts'

type Rendering = {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  readonly secrets: readonly string[]
  readonly templateLines?: readonly number[]
}

/** By path inside the repository. */
export type Renderings = ReadonlyMap<string, Rendering>

export type Rendered = { readonly renderings: Renderings; readonly problems: readonly Problem[] }

export type Values = { readonly host: HostName; readonly vars: Variables; readonly secrets: Secrets }

export async function renderTemplates(
  services: readonly ManagedService[],
  values: Values,
  reader: RevisionReader,
): Promise<Rendered> {
  const parsed = await readTemplates(services, reader)
  const scope = { vars: [...values.vars.keys()], secrets: values.secrets }
  const problems = parsed.flatMap(({ template, problems: own, service }) =>
    [...own, ...unknownReferences(template, scope)].map((problem) => ({ ...problem, service })),
  )
  if (problems.length > 0) return { renderings: new Map(), problems }
  const secrets = await readSecrets(
    parsed.map(({ template }) => template),
    values.secrets,
  )
  if (secrets.problems.length > 0) return { renderings: new Map(), problems: secrets.problems }
  const renderings = parsed.map(({ template }): [string, Rendering] => {
    const textOf = (reference: Reference) => textFor(reference, values, secrets.values)
    const bytes = rendered(template, textOf)
    const lines = templateLines(template, textOf)
    const rendering = { bytes, sha256: sha256Of(bytes), secrets: secretsIn(template) }
    return [template.source, { ...rendering, ...(lines === undefined ? {} : { templateLines: lines }) }]
  })
  return { renderings: new Map(renderings), problems: [] }
}

export type ServiceTemplate = {
  readonly service: string
  readonly template: Template
  readonly problems: readonly Problem[]
}

export async function readTemplates(
  services: readonly ManagedService[],
  reader: RevisionReader,
): Promise<readonly ServiceTemplate[]> {
  const files = services.flatMap(({ service, files: own }) =>
    own.flatMap((file) =>
      file.kind === 'file' && file.settings.template
        ? [{ service: service.name, source: file.source, oid: file.oid }]
        : [],
    ),
  )
  const contents = files.length === 0 ? [] : await reader.readMany(files.map(({ oid }) => oid))
  return files.map(({ service, source }, index) => ({
    service,
    ...parseTemplate(source, contents[index] ?? new Uint8Array()),
  }))
}

async function readSecrets(templates: readonly Template[], secrets: Secrets) {
  const values = new Map<string, string>()
  const problems: Problem[] = []
  for (const name of new Set(templates.flatMap(secretsIn))) {
    try {
      values.set(name, await secrets.read(name))
    } catch (error) {
      problems.push(...problemsOf(error))
    }
  }
  return { values, problems }
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
