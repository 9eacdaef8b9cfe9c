// The files that are judged by what they say: the meaning of each, or that it cannot be read, which is wrong with the revision.
import type { Sha256 } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import type { CompareRules, JudgedContent } from '../../shared/resource.ts'
import { type Meaning, meaningOf, rulesText } from '../document/meaning.ts'
import { documentBytes, formatName, tooLarge } from '../document/read.ts'
import type { RevisionReader } from '../sync/revision.ts'
import type { Digests } from './digests.ts'
import type { ManagedService } from './managed-files.ts'
import type { Renderings } from './render.ts'

/** By path inside the repository. */
export type JudgedContents = ReadonlyMap<string, JudgedContent>

export type Judging = {
  readonly judged: JudgedContents
  readonly problems: readonly Problem[]
  /** With the meanings of this revision, so that no content is read for its meaning twice. */
  readonly digests: Digests
}

/** A template is judged once it is filled in; without a rendering it is passed over. */
export async function judgedContents(
  services: readonly ManagedService[],
  { renderings, digests }: { readonly renderings: Renderings; readonly digests: Digests },
  reader: RevisionReader,
): Promise<Judging> {
  const judged = new Map<string, JudgedContent>()
  const problems: Problem[] = []
  const meanings = new Map<string, Record<string, Sha256>>()
  for (const file of services.flatMap(judgedFiles)) {
    const { source, oid, rules, isTemplate } = file
    const rendered = renderings.get(source)?.bytes
    if (isTemplate && rendered === undefined) continue
    const meaning = rendered === undefined ? await meaningOfBlob(file, digests, reader) : meaningOf(rendered, rules)
    if (meaning.kind === 'invalid') problems.push(unreadable(file, meaning))
    judged.set(source, judgedAs(meaning, rules))
    if (!isTemplate && meaning.kind === 'known')
      meanings.set(oid, { ...meanings.get(oid), [rulesText(rules)]: meaning.digest })
  }
  return { judged, problems, digests: withMeanings(digests, meanings) }
}

type JudgedFile = {
  readonly service: string
  readonly source: string
  readonly oid: string
  readonly isTemplate: boolean
  readonly rules: CompareRules
}

function judgedFiles({ service, files }: ManagedService): readonly JudgedFile[] {
  return files.flatMap((file) => {
    if (file.kind !== 'file' || file.settings.compare === 'bytes') return []
    const { template: isTemplate, compare: rules } = file.settings
    return [{ service: service.name, source: file.source, oid: file.oid, isTemplate, rules }]
  })
}

async function meaningOfBlob({ oid, rules }: JudgedFile, digests: Digests, reader: RevisionReader): Promise<Meaning> {
  const known = digests.get(oid)
  const digest = known?.meanings?.[rulesText(rules)]
  if (digest !== undefined) return { kind: 'known', digest }
  if ((known?.size ?? 0) > documentBytes(rules.as)) return tooLarge(rules.as)
  return meaningOf(await reader.read(oid), rules)
}

function judgedAs(meaning: Meaning, rules: CompareRules): JudgedContent {
  if (meaning.kind === 'known') return { rules, meaning: meaning.digest }
  return { rules, reason: meaning.reason }
}

function unreadable(
  { source, service, rules, isTemplate }: JudgedFile,
  { line, column, reason }: Extract<Meaning, { kind: 'invalid' }>,
): Problem {
  const name = formatName(rules.as)
  const filledIn = isTemplate ? ', once it is filled in,' : ''
  const message = `is compared as ${name}, but${filledIn} is no ${name} that can be judged: ${reason}`
  const remedy = `Correct it, or take \`compare\` out of services/${service}/service.yaml.`
  return invalid(message, { file: source, line, column }, { service, remedy })
}

function withMeanings(digests: Digests, meanings: ReadonlyMap<string, Record<string, Sha256>>): Digests {
  const all = new Map(digests)
  for (const [oid, own] of meanings) {
    const digest = all.get(oid)
    if (digest !== undefined) all.set(oid, { ...digest, meanings: own })
  }
  return all
}
