// Files that are judged by what they say: how other bytes that say the same are seen as those that were expected.
// Bytes are what an apply writes and an undo looks for; only the verdict looks further, and only where bytes differ.
// Decision: docs/decisions/2026-11-26-meaning-beside-bytes.md

import { hash } from 'node:crypto'
import { compact } from '../../shared/compact.ts'
import type { AbsolutePath } from '../../shared/names.ts'
import type { CompareRules, FileResource, ProjectFile } from '../../shared/resource.ts'
import { type Meaning, meaningOf, rulesIn, rulesText } from '../document/meaning.ts'
import { documentBytes, formatName, tooLarge } from '../document/read.ts'
import type { Inspection } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { slotByText } from '../memory.ts'
import type { Attributes, JudgedLive, LiveResource, Subject } from './kind.ts'

type FileSubject = Subject<FileResource>

/** Beside the others, so that the next look knows what was applied and by which rules it was judged. They differ from nothing. */
export function judgedAttributes({ judged }: FileResource): Attributes {
  if (judged?.meaning === undefined) return {}
  return { compare: rulesText(judged.rules), meaning: judged.meaning }
}

/** With the content of the revision where that says what was applied: to format a file anew is no change to a host. */
export function appliedAttributes({ desired, baseline }: FileSubject): Attributes | undefined {
  if (baseline === undefined) return undefined
  const { compare, meaning } = desired === undefined ? {} : judgedAttributes(desired)
  const { attributes } = baseline
  const isSame = meaning !== undefined && meaning === attributes['meaning'] && compare === attributes['compare']
  return withoutJudged(isSame && desired !== undefined ? { ...attributes, content: desired.sha256 } : attributes)
}

export function withoutJudged(attributes: Attributes): Attributes {
  const { compare: _, meaning: __, ...rest } = attributes
  return rest
}

export type JudgedInspection = Inspection & { readonly judged?: JudgedLive }

/** Read only where the bytes are neither what is desired nor what was applied. */
export async function inspectJudged(
  path: AbsolutePath,
  subject: FileSubject,
  host: Pick<HostReader, 'files' | 'memory'>,
): Promise<JudgedInspection | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await host.files.inspect(path)
    const content = found?.content
    if (found === undefined || content === undefined || isExpected(content, subject)) return found
    const rules = rulesFor(subject)
    if (rules.length === 0) return found
    const meanings = await meaningsAt(path, content, rules, host)
    if (meanings !== undefined) return { ...found, ...judgedLive(meanings, subject) }
    // Written again meanwhile: what was inspected is not what was read.
    if (attempt === attempts) return found
  }
}

/** Pure: with the content that was expected, where live says the same. The first apply goes by bytes, and keeps what was there. */
export function seenContent({ desired, baseline }: FileSubject, live: LiveResource): Attributes {
  if (live.judged === undefined || baseline === undefined) return live.attributes
  const { meanings } = live.judged
  const saysSame = (expected: Attributes | undefined) =>
    expected?.['meaning'] !== undefined && meanings.get(expected['compare'] ?? '') === expected['meaning']
  if (desired !== undefined && saysSame(judgedAttributes(desired)))
    return { ...live.attributes, content: desired.sha256 }
  const applied = baseline.attributes['content']
  return applied !== undefined && saysSame(baseline.attributes)
    ? { ...live.attributes, content: applied }
    : live.attributes
}

/** Of a file that another resource reads. */
export async function isAsDesired({ path, sha256, judged }: ProjectFile, host: HostReader): Promise<boolean> {
  const content = (await host.files.inspect(path))?.content
  if (content === sha256) return true
  if (content === undefined || judged?.meaning === undefined) return false
  const [found] = (await meaningsAt(path, content, [judged.rules], host))?.values() ?? []
  return found?.meaning.kind === 'known' && found.meaning.digest === judged.meaning
}

/** The same of bytes at hand. */
export function saysAsDesired({ sha256, judged }: ProjectFile, bytes: Uint8Array): boolean {
  if (hash('sha256', bytes, 'hex') === sha256) return true
  const meaning = judged?.meaning === undefined ? undefined : meaningOf(bytes, judged.rules)
  return meaning?.kind === 'known' && meaning.digest === judged?.meaning
}

const attempts = 3

/** Those of the revision, and those by which the baseline's meaning was found. */
function rulesFor({ desired, baseline }: FileSubject): readonly CompareRules[] {
  if (baseline === undefined) return []
  const known = [desired?.judged?.rules, rulesIn(baseline.attributes['compare'])].filter((rules) => rules !== undefined)
  return [...new Map(known.map((rules) => [rulesText(rules), rules])).values()]
}

function isExpected(content: string, { desired, baseline }: FileSubject): boolean {
  return content === desired?.sha256 || content === baseline?.attributes['content']
}

type Meanings = ReadonlyMap<string, { readonly rules: CompareRules; readonly meaning: Meaning }>

/** Undefined: the file is no longer what was inspected. */
async function meaningsAt(
  path: AbsolutePath,
  content: string,
  rules: readonly CompareRules[],
  { files, memory }: Pick<HostReader, 'files' | 'memory'>,
): Promise<Meanings | undefined> {
  const meanings = new Map<string, { readonly rules: CompareRules; readonly meaning: Meaning }>()
  const remembered = memory.at(meaningsByContent)
  let bytes: Uint8Array | undefined
  for (const each of rules) {
    const key = rulesText(each)
    let meaning = remembered.get(`${content} ${key}`)
    if (meaning === undefined) {
      bytes ??= await files.read(path, Math.max(...rules.map(({ as }) => documentBytes(as))))
      if (bytes !== undefined && hash('sha256', bytes, 'hex') !== content) return undefined
      meaning = bytes === undefined ? tooLarge(each.as) : meaningOf(bytes, each)
      if (bytes !== undefined) remembered.set(`${content} ${key}`, meaning)
    }
    meanings.set(key, { rules: each, meaning })
  }
  return meanings
}

/** What bytes mean never changes: while the agent runs, each is read for it once. */
const meaningsByContent = slotByText<Meaning>(5000)

function judgedLive(found: Meanings, { desired }: FileSubject): { readonly judged: JudgedLive } {
  const known = [...found].flatMap(([key, { meaning }]) =>
    meaning.kind === 'known' ? [[key, meaning.digest] as const] : [],
  )
  const note = noteOf(found, desired)
  return { judged: { meanings: new Map(known), ...compact({ note }) } }
}

function noteOf(found: Meanings, desired: FileResource | undefined): string | undefined {
  const [first] = found.values()
  if (first === undefined) return undefined
  const { rules, meaning } = (desired?.judged && found.get(rulesText(desired.judged.rules))) ?? first
  if (meaning.kind === 'invalid')
    return `no longer ${formatName(rules.as)}: ${meaning.line}:${meaning.column} ${meaning.reason}`
  if (meaning.kind === 'too-much') return `compared by bytes: ${meaning.reason}`
  return desired?.judged?.reason === undefined
    ? undefined
    : `compared by bytes, in the repository ${desired.judged.reason}`
}
