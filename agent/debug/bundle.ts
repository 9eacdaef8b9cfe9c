// Everything that a person who looks for a fault of the agent asks for first -> one tar.gz. What comes in are the places of this agent,
// what goes out is the archive and a list of what is in it and what is not. Reads only, and never throws for what it cannot read.
import { resolve } from 'node:path'
import type { Run } from '../../shared/command.ts'
import { maskText } from '../../shared/mask-text.ts'
import { PlumbError, problemLine } from '../../shared/problem.ts'
import { type Configuration, readConfiguration, secretsDirectory } from '../commands/configuration.ts'
import { type BundleMask, bundleMask, type KnownValues, secretValues, withoutSecretForms } from './bundle-mask.ts'
import { hostPart, jsonPart, logPart, unitPart, versionsPart } from './host-parts.ts'
import { type Found, type LeftOut, leftOut, leftOutText, type Part } from './part.ts'
import { stateParts } from './state-parts.ts'
import { tarGz } from './tar.ts'

export type BundlePlaces = { readonly root: string; readonly state: string; readonly output: string }

export type BundleOptions = {
  readonly run: Run
  readonly now: Date
  /** False: unit and log on this machine are not those of this agent. */
  readonly hasUnit: boolean
  readonly progress: (line: string) => void
}

export type Bundle = {
  readonly archive: Buffer
  readonly parts: readonly Pick<Part, 'name' | 'isCut'>[]
  readonly leftOut: readonly LeftOut[]
}

/** Before it is compressed. */
const bundleLimitBytes = 24 * 1024 * 1024

export async function debugBundleOf(places: BundlePlaces, options: BundleOptions): Promise<Bundle> {
  const settings = await settingsOf(places.root)
  const known = await secretValues(secretsDirectory(places.root))
  const mask = bundleMask(known, settings.credentials)
  const why = known.kind === 'unknown' ? `the secrets of this host cannot be read: ${known.why}` : undefined
  const found = await allParts(places, settings.part, options)
  const masked = found.map((one) => withoutSecrets(one, mask, why))
  const { parts, leftOut: unmasked } = bounded(masked)
  const without = unmasked.map((one) => withoutSecretsInWords(one, mask, known.kind))
  const plain = contentsText(parts, without, options.now)
  const contents = mask(plain) ?? withoutSecretForms(plain)
  const files = [{ name: 'CONTENTS.txt', text: contents }, ...parts]
  const archive = tarGz(
    files.map(({ name, text }) => ({ name: `plumb-debug/${name}`, content: Buffer.from(text) })),
    options.now,
  )
  return { archive, parts: parts.map(({ name, isCut }) => ({ name, isCut })), leftOut: without }
}

async function allParts(
  { root, state, output }: BundlePlaces,
  settings: Found,
  { run, now, hasUnit, progress }: BundleOptions,
): Promise<readonly Found[]> {
  progress('reading versions and figures of this machine')
  const machine = [await versionsPart(run, now), await hostPart([...new Set(['/', '/tmp', root, state, output])])]
  progress('reading the log of the agent')
  const unit = hasUnit
    ? [await unitPart(run), await logPart(run)]
    : [leftOut('agent-unit.txt', 'other-agent'), leftOut('agent.log', 'other-agent')]
  progress('reading the state of the agent')
  const first = [...machine, settings, ...unit]
  return [...first, ...(await stateParts(resolve(state), bundleLimitBytes - bytesOf(first)))]
}

function bytesOf(found: readonly Found[]): number {
  const sizes = found.map((one) => (one.kind === 'part' ? Buffer.byteLength(one.text) : 0))
  return sizes.reduce((sum, size) => sum + size, 0)
}

type Settings = { readonly part: Found; readonly credentials: readonly string[] }

async function settingsOf(root: string): Promise<Settings> {
  const name = 'settings.json'
  try {
    const configuration = await readConfiguration(root)
    if (configuration === undefined) return { part: leftOut(name, 'absent'), credentials: [] }
    return { part: jsonPart(name, shownSettings(configuration)), credentials: credentialsIn(configuration) }
  } catch (error) {
    // What is not understood may have the password anywhere: of a message that is not our own, nothing is said.
    const why = error instanceof PlumbError ? error.problems.map(problemLine).join('; ') : 'internal'
    return { part: leftOut(name, 'unreadable', why), credentials: [] }
  }
}

function shownSettings({ credentials, ...settings }: Configuration): object {
  return credentials === undefined ? settings : { ...settings, credentials: { username: maskText, password: maskText } }
}

/** A user name is no secret, and may be a word that stands everywhere: `git`. */
function credentialsIn({ credentials }: Configuration): readonly string[] {
  return credentials === undefined ? [] : [credentials.password]
}

/** The figures of the machine say nothing of the agent's secrets, and are of use where the secrets cannot be read. */
const figures: ReadonlySet<string> = new Set(['versions.json', 'host.json'])

function withoutSecrets(found: Found, mask: BundleMask, why: string | undefined): Found {
  if (found.kind === 'left-out' || figures.has(found.name)) return found
  const text = mask(found.text)
  if (text !== undefined) return { ...found, text }
  return leftOut(found.name, 'unmaskable', why ?? 'a secret is too short to be found in it')
}

/** Name and detail are printed, and may be of others: a file's name. Where values are not known, forms are all that can be taken out. */
function withoutSecretsInWords(one: LeftOut, mask: BundleMask, known: KnownValues['kind']): LeftOut {
  const words = (text: string) => mask(text) ?? (known === 'unknown' ? withoutSecretForms(text) : undefined)
  const { name, reason, detail } = one
  // A short value stands in names by chance.
  const shown = words(name) ?? withoutSecretForms(name)
  return leftOut(shown, reason, detail === undefined || reason === 'unmaskable' ? detail : words(detail))
}

/** In their order, so that figures, settings and log come before what is left of the state. */
function bounded(found: readonly Found[]): { readonly parts: readonly Part[]; readonly leftOut: readonly LeftOut[] } {
  const parts: Part[] = []
  const without: LeftOut[] = []
  let left = bundleLimitBytes
  for (const one of found) {
    if (one.kind === 'left-out') without.push(one)
    else if (Buffer.byteLength(one.text) > left) without.push(leftOut(one.name, 'size'))
    else {
      left -= Buffer.byteLength(one.text)
      parts.push(one)
    }
  }
  return { parts, leftOut: without }
}

function contentsText(parts: readonly Part[], without: readonly LeftOut[], now: Date): string {
  const lines = parts.map(
    ({ name, text, isCut }) => `${name}  ${Buffer.byteLength(text)} bytes${isCut ? ', only the end' : ''}`,
  )
  const heading = `A debug bundle of the Plumbline agent, made ${now.toISOString()}. Secrets are replaced by ${maskText}.`
  const missing = without.length === 0 ? ['nothing'] : without.map(leftOutText)
  return [heading, '', 'Inside:', ...lines, '', 'Left out:', ...missing, ''].join('\n')
}
