// Paths by which a unit or a table of systemd would cover, empty or give away what the agent lives from. Pure.
import { parentsOf } from '../places.ts'
import { agentPlace, agentPlaces, usualPlaceOf } from './reserved.ts'

export type PlaceHazard = { readonly line: number; readonly written: string; readonly why: string }

/** Why nothing is to be mounted at a path; undefined: it may be. */
export function mountHazard(path: string): string | undefined {
  const place = placeOf(path)
  const hidden = agentPlace(place) ?? agentBelow(place)
  return hidden === undefined ? undefined : `what is mounted there hides ${hidden} from the agent`
}

/** `/etc/fstab`, and the directories of tmpfiles.d. */
export function isTable(target: string): boolean {
  const place = usualPlaceOf(target)
  return place === '/etc/fstab' || /^\/(?:etc|run|usr\/(?:local\/)?lib)\/tmpfiles\.d\/[^/]+\.conf$/.test(place)
}

/** Of one of these. */
export function tableHazards(target: string, text: string): readonly PlaceHazard[] {
  const reasonOf = usualPlaceOf(target) === '/etc/fstab' ? reasonOfMount : reasonOfTmpfiles
  return text.split('\n').flatMap((written, index) => {
    const words = /^\s*(?:#|$)/.test(written) ? [] : wordsOf(written)
    const why = reasonOf(words)
    return why === undefined ? [] : [{ line: index + 1, written: written.trim().slice(0, 200), why }]
  })
}

/** Words of a list in a setting, without their quotes. */
export function wordsOf(value: string): readonly string[] {
  return [...value.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  )
}

/** `/etc/plumb` of `etc-plumb.mount`: systemd names a mount by its place. */
export function placeOfMountUnit(name: string): string | undefined {
  const [, escaped] = /^(.+)\.(?:auto)?mount$/.exec(name) ?? []
  if (escaped === undefined || escaped === '-') return undefined
  const decoded = escaped
    .replaceAll('-', '/')
    .replace(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
  return `/${decoded}`
}

/** On most hosts partitions of their own since the installation, the agent's state with them. */
const partitions: ReadonlySet<string> = new Set(['/', '/usr', '/var', '/run', '/etc'])

function reasonOfMount([, written = '']: readonly string[]): string | undefined {
  const path = written.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
  return !path.startsWith('/') || partitions.has(placeOf(path)) ? undefined : mountHazard(path)
}

/** tmpfiles.d(5): `D! /var/lib/x 0755 root root 10d`. What is only kept from being cleaned (`x`) may be named. */
function reasonOfTmpfiles([type = '', path = '', , , , age = '-']: readonly string[]): string | undefined {
  const [kind = ''] = type
  if (kind === 'x' || kind === 'X' || !/^[%/]/.test(path)) return undefined
  const place = placeOf(path.replaceAll('%S', '/var/lib').replaceAll('%t', '/run').replaceAll('%%', '%'))
  const own = agentPlace(place) ?? agentPlaces.find((one) => isLike(place, one))
  if (own !== undefined) return `${own} is the agent's own`
  const below = agentPlaces.find((one) => parentsOf(one).some((parent) => isLike(place, parent)))
  if (below === undefined) return undefined
  if (kind === 'R' || kind === 'D') return `it empties what ${below} is in`
  if (kind === 'Z' || kind === 'T' || kind === 'H' || kind === 'A') return `it changes all that is below, ${below} too`
  return age === '-' || age === '' ? undefined : `it removes what is old below, ${below} too`
}

function agentBelow(place: string): string | undefined {
  return [...agentPlaces, '/run/plumb'].find(
    (path) => path !== place && path.startsWith(place === '/' ? '/' : `${place}/`),
  )
}

/** As systemd takes it: `/etc//plumb/` is `/etc/plumb`. */
function placeOf(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return usualPlaceOf(`/${parts.join('/')}/.`).slice(0, -2) || '/'
}

/** `*`, `?` and `[...]` of a pattern stay within a name. */
function isLike(pattern: string, path: string): boolean {
  const source = pattern.replace(/\[[^\]]*\]|[*?]|[.+^${}()|[\]\\]/g, (part) =>
    part === '*' ? '[^/]*' : part === '?' || part.length > 1 ? '[^/]' : `\\${part}`,
  )
  return new RegExp(`^${source}$`).test(path)
}
