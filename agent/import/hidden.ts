// Likely secrets out of what is imported: a text becomes a template with names in the place of values, and the values go to the host's
// secrets directory alone.
import { identifierSchema } from '../../shared/names.ts'
import type { SecretPlace } from '../writing/likely-secrets.ts'
import { secretPlaces } from '../writing/likely-secrets.ts'

export type Hidden =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'template'
      readonly text: string
      /** By the name that took the value's place. */
      readonly values: ReadonlyMap<string, string>
      readonly proposals: readonly Proposal[]
    }
  /** Not every value can give way to a name; `why` says so of the first that cannot. */
  | { readonly kind: 'stuck'; readonly why: string; readonly proposals: readonly Proposal[] }

export type Proposal = {
  /** 1-based. */
  readonly line: number
  readonly what: string
  /** The secret's name, and the line as the template would have it; undefined where no single value can be cut out. */
  readonly name?: string
  readonly becomes?: string
}

export type Naming = {
  readonly service: string
  /** Names already given to values, over all files of a service; what is chosen here is added by the caller. */
  readonly taken: ReadonlyMap<string, string>
  /** For the first value; default: made of the service and the word it is set under. */
  readonly name?: string
}

export function hiddenIn(text: string, naming: Naming): Hidden {
  const places = secretPlaces(text)
  if (places.length === 0) return { kind: 'plain' }
  const values = new Map<string, string>()
  const named = places.map((place) => {
    if (place.value === undefined) return { place }
    const value = text.slice(place.value.start, place.value.end)
    const name = nameFor({ place, value }, { ...naming, taken: new Map([...naming.taken, ...values]) })
    values.set(name, value)
    return { place, name }
  })
  const template = replaced(text, named)
  const proposals = named.map(({ place, name }) => proposalOf(place, name, template))
  const cannot = named.find(({ name }) => name === undefined)
  if (cannot !== undefined)
    return { kind: 'stuck', why: `line ${cannot.place.line}: ${cannot.place.what} is no single value`, proposals }
  if (text.includes(opening))
    return { kind: 'stuck', why: `it cannot be a template: it has ${opening} in it already`, proposals }
  const shown = [...values].find(([, value]) => template.includes(value))
  if (shown !== undefined && shown[1].length >= 6)
    return { kind: 'stuck', why: `the value for ${shown[0]} stands in another place too`, proposals }
  return { kind: 'template', text: template, values, proposals }
}

const opening = `${'$'}{{`

type Named = { readonly place: SecretPlace; readonly name?: string }

function replaced(text: string, named: readonly Named[]): string {
  let end = 0
  const parts: string[] = []
  for (const { place, name } of named) {
    if (place.value === undefined || name === undefined) continue
    parts.push(text.slice(end, place.value.start), `${opening} secrets.${name} }}`)
    end = place.value.end
  }
  return [...parts, text.slice(end)].join('')
}

/** Of a file that holds nothing else that is likely a secret, a line may be shown: the values are out of it. */
function proposalOf({ line, what }: SecretPlace, name: string | undefined, template: string): Proposal {
  const becomes = template.split('\n')[line - 1]?.trim()
  return name === undefined || becomes === undefined
    ? { line, what }
    : { line, what, name, becomes: becomes.slice(0, 200) }
}

type Unnamed = { readonly place: SecretPlace; readonly value: string }

/** `redis_requirepass`; a second value under the same word is `redis_requirepass_2`. */
function nameFor({ place, value }: Unnamed, { service, taken, name: given }: Naming): string {
  const base = plain(service)
  const word = plain(place.key ?? 'secret')
  const wanted = given ?? (word.startsWith(`${base}_`) ? word : `${base}_${word}`).slice(0, 60)
  for (let count = 1; ; count += 1) {
    const name = identifierSchema.parse(count === 1 ? wanted : `${wanted}_${count}`)
    if (!taken.has(name) || taken.get(name) === value) return name
  }
}

function plain(text: string): string {
  const word = text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase()
  return /^[a-z]/.test(word) ? word : `s_${word}`
}
