// Takes secrets out of the texts of a debug bundle: the values of this host's secrets in every form that plan/mask.ts knows, tokens and
// keys by their form, every PEM block, and what stands in an address before its host.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withoutUserInformation } from '../../shared/address.ts'
import { errnoOf } from '../../shared/errno.ts'
import { maskFor } from '../plan/mask.ts'
import { withoutKnownSecrets } from '../writing/known-tokens.ts'
import { fileEnd } from './bounded-file.ts'
import { withoutPem } from './pem-blocks.ts'

/** Undefined: the text cannot be masked reliably. */
export type BundleMask = (text: string) => string | undefined

export type KnownValues =
  | { readonly kind: 'known'; readonly values: readonly string[] }
  | { readonly kind: 'unknown'; readonly why: string }

/** As large as a secret may be, and one more byte: a larger file is no secret, and cannot be searched for. */
const secretLimitBytes = 64 * 1024 + 1
/** Shorter ones stand in every text by chance. */
const shortestMasked = 4

/** Also of secrets that no service may use, because others can read them: they are secrets all the same. */
export async function secretValues(directory: string): Promise<KnownValues> {
  const names = await readdir(directory).catch((error: unknown) => errnoOf(error) ?? String(error))
  if (names === 'ENOENT') return { kind: 'known', values: [] }
  if (typeof names === 'string') return { kind: 'unknown', why: names }
  const values: string[] = []
  for (const name of names) {
    const found = await fileEnd(join(directory, name), name, { limitBytes: secretLimitBytes })
    if (found.kind === 'part') values.push(found.text.replace(/\r?\n$/, ''))
    else if (found.reason !== 'absent') return { kind: 'unknown', why: `${name}: ${found.detail}` }
  }
  return { kind: 'known', values }
}

/** What values cannot be known, no text is known to be free of: nothing is shown. */
export function bundleMask(known: KnownValues, credentials: readonly string[]): BundleMask {
  if (known.kind === 'unknown') return () => undefined
  const values = [...known.values, ...credentials].filter((value) => value.trim() !== '')
  const mask = maskFor(values.filter((value) => !isShort(value)).flatMap((value) => [value, inJson(value)]))
  const short = values.filter(isShort).map((value) => value.trim())
  return (text) => {
    if (short.some((value) => text.includes(value))) return undefined
    return withoutForms(mask.text(text))
  }
}

/** What is known for a secret without its value. */
export function withoutSecretForms(text: string): string {
  return withoutForms(withoutKnownSecrets(text))
}

/** After the mask, which knows a key that was cut by its first line, and a value as it stands in an address. */
function withoutForms(masked: string): string {
  return withoutPem(withoutUserInformation(masked))
}

/** The mask finds a value inside of JSON. A log has JSON inside of JSON. */
function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

function isShort(value: string): boolean {
  return value.trim().length < shortestMasked
}
