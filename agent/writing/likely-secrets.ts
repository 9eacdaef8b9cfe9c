// What in a text is likely a secret that must not reach the repository: text -> lines, with the value's place where one can be cut out.
// When in doubt a value is reported: the user can say that it is none. Values never stand in what is returned.
import { compact } from '../../shared/compact.ts'
import { knownTokens } from './known-tokens.ts'
import { isOrdinary, passwordHashIn } from './ordinary-values.ts'
import { isOpenlyRandom, randomTexts } from './random-text.ts'

export type LikelySecret = {
  /** 1-based. */
  readonly line: number
  /** A noun phrase without the value: `the value of "requirepass"`, `a private key`. */
  readonly what: string
}

/** Offsets into the text; undefined where no single value can be replaced by a name, as in a key of many lines. */
export type SecretPlace = LikelySecret & {
  readonly value?: { readonly start: number; readonly end: number }
  /** A private key of many lines. */
  readonly isKeyBlock?: true
  /** The word it was set under: `requirepass`. */
  readonly key?: string
}

/** At most one for each line. */
export function likelySecrets(text: string): readonly LikelySecret[] {
  const places = secretPlaces(text).map(({ line, what }) => ({ line, what }))
  return places.filter(({ line }, index) => places[index - 1]?.line !== line)
}

/** Those of one line do not overlap; in the order of the text. */
export function secretPlaces(text: string): readonly SecretPlace[] {
  const found: SecretPlace[] = []
  let start = 0
  let inBlock = false
  for (const [index, line] of text.split('\n').entries()) {
    const head = line.slice(0, lineLimit)
    // The body of a certificate, key or digest is random; the line that begins it is reported where it is a secret.
    inBlock = inBlock && isBlockLine(head)
    // What is longer is data rather than a line that a person wrote; patterns are not tried on all of it.
    if (!inBlock) found.push(...placesIn(head, { line: index + 1, start }))
    if (/-----BEGIN |LS0tLS1CRUdJTi/.test(head) || (isOpenlyRandom(head) && isBlockLine(head.slice(-20))))
      inBlock = true
    start += line.length + 1
  }
  return found
}

/** Base64 alone, as it is laid out in PEM, in zone files and in quotes; the headers of an OpenPGP block. */
function isBlockLine(line: string): boolean {
  return (
    /^[\s"'(]*[A-Za-z0-9+/]*={0,2}["'\s;,)}\\]*$/.test(line) ||
    /^(?:Version|Comment|Hash|Charset): |^=[A-Za-z0-9+/]{4}$/.test(line)
  )
}

const lineLimit = 16_384

type At = { readonly line: number; readonly start: number }
type Found = { readonly what: string; readonly from: number; readonly to: number; readonly key?: string }

function placesIn(line: string, { line: number, start }: At): readonly SecretPlace[] {
  // `psk abc`
  if (line.length < 7) return []
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----/.test(line))
    return [{ line: number, what: 'a private key', isKeyBlock: true }]
  const isComment = /^\s*(?:#|;|\/\/|--\s|<!--|\/?\*)/.test(line)
  const all = [
    ...knownTokens(line),
    ...inAddresses(line),
    ...encodedKeys(line),
    ...(isComment
      ? []
      : [...passwordHashes(line), ...assignments(line), ...onCommandLines(line), ...headers(line), ...random(line)]),
  ].toSorted((one, other) => one.from - other.from || one.to - other.to)
  const places: Found[] = []
  for (const one of all) if (one.from >= (places.at(-1)?.to ?? 0)) places.push(one)
  return places.map(({ what, from, to, key }) => ({
    line: number,
    what,
    ...(from === to ? {} : { value: { start: start + from, end: start + to } }),
    ...compact({ key }),
  }))
}

const secretWord =
  '(?:password|passwd|passphrase|passwort|pass|bindpw|rootpw|secret|token|api[_-]?key|apikey|access[_-]?key|secret[_-]?key(?:[_-]?base)?|account[_-]?key|private[_-]?key|preshared[_-]?key|encryption[_-]?key|signing[_-]?key|auth[_-]?key|psk|credentials?|requirepass|masterauth|primaryauth)'
const quotedOr = `"((?:[^"\\\\]|\\\\.)*)"|'((?:[^'\\\\]|\\\\.)*)'`
/** `key = value`, `key: value`, `"key": "value"`, also within a line. */
const assigned = new RegExp(
  `(?:^|[\\s"'{(,;&?$-])([A-Za-z0-9_.-]{0,100}?${secretWord})["']?\\s*(?:=>|:=|=|:(?=[\\s"']))\\s*(?:${quotedOr}|([^\\s"']+))`,
  'dgi',
)
/** `requirepass value` and nothing else: PAM's `password required pam_unix.so` is none. */
const directive = new RegExp(
  `^\\s*([A-Za-z0-9_.-]{0,100}?${secretWord})\\s+(?:${quotedOr}|([^\\s"'=:]\\S*?));?\\s*(?:#.*)?$`,
  'di',
)
/** haproxy: `user anna insecure-password value groups ops`; redis: `user anna on >value ~*`. */
const userDirective = /^\s*user\s+\S+\s+(?:((?:insecure-)?password)\s+|(?:[^\s>#]\S*\s+)*?(>|#(?=[0-9a-f]{64})))(\S+)/di
const statsAuth = /^\s*(?:stats\s+)?(auth)()\s+[^\s:]+:(\S+)\s*$/di
/** netrc, fetchmail: `login anna password value`. */
const login = /\b(?:login|username)\s+\S+\s+(password)()\s+(?:is\s+)?"?([^\s"]+)/di
/** PHP: `define('DB_PASSWORD', 'value')`. */
const defined = new RegExp(
  `\\bdefine\\(\\s*["']([A-Za-z0-9_.-]{0,100}?${secretWord})["']\\s*,\\s*(?:${quotedOr})`,
  'dgi',
)
/** Postfix: `[mail.example.org]:587 anna:value`. */
const mailLogin = /^\s*(\[[\w.-]+\](?::\w+)?)()\s+[^\s:]+:(\S+)\s*$/d
const element = new RegExp(`<([A-Za-z0-9_.-]{0,100}?${secretWord})>([^<]+)</`, 'dgi')

function assignments(line: string): readonly Found[] {
  const one = directive.exec(line)
  const matches = [
    ...line.matchAll(assigned),
    ...line.matchAll(element),
    ...line.matchAll(defined),
    ...(one === null ? [] : [one]),
  ]
  const users = [userDirective, statsAuth, login, mailLogin]
    .map((pattern) => pattern.exec(line))
    .filter((match) => match !== null)
  return [
    ...matches.flatMap((match) => assignedIn(match, line)),
    ...users.flatMap((match) => {
      const { from, to } = placeOf(match, 3)
      const isOne = !isOrdinary({ key: '', value: line.slice(from, to), isQuoted: false })
      return isOne ? [{ what: 'the password of a user', from, to, key: 'password' }] : []
    }),
  ]
}

function assignedIn(match: RegExpExecArray, line: string): readonly Found[] {
  const at = [2, 3, 4].find((group) => match[group] !== undefined) ?? 0
  const key = match[1] ?? ''
  const what = `the value of "${key}"`
  const whole = placeOf(match, at)
  const from = whole.from + (isNamedCredential.test(key) ? line.slice(whole.from).indexOf(':') + 1 : 0)
  const written = line.slice(from, whole.to)
  // Of a value of many lines only the beginning is here.
  if (/^[|>][-+]?$/.test(written)) return [{ what, from, to: from, key }]
  // A default within a reference is a value of its own: ${DB_PASSWORD:-value}.
  const [, opening, fallback = ''] = /^(\$\{\w+:?[-=])([^${}]+)\}/.exec(written) ?? []
  if (opening !== undefined) {
    const start = from + opening.length
    const isOne = !isOrdinary({ key, value: fallback, isQuoted: true })
    return isOne ? [{ what, from: start, to: start + fallback.length, key }] : []
  }
  const value = at === 4 ? written.replace(/[;,})\]]+$/, '') : written
  if (isOrdinary({ key, value, isQuoted: at !== 4 })) return []
  return [{ what, from, to: from + value.length, key }]
}

/** systemd: `SetCredential=name:value`. */
const isNamedCredential = /^SetCredential$/i

function placeOf(match: RegExpExecArray, group: number): { readonly from: number; readonly to: number } {
  const [from, to] = match.indices?.[group] ?? [0, 0]
  return { from, to }
}

const optionValue = new RegExp(
  `\\s--(?:[a-z-]*-)?(?:${secretWord})\\s+(?:"([^"]+)"|'([^']+)'|([^\\s"'|;&-][^\\s"'|;&]*))`,
  'dgi',
)
const loginOption = /\bcurl\b.*?\s(?:-u|--user)[\s=]+["']?[^\s:"']+:([^\s"']+)/dg

/** `--password value`, `curl -u anna:value`. */
function onCommandLines(line: string): readonly Found[] {
  return [...line.matchAll(optionValue), ...line.matchAll(loginOption)].flatMap((match) => {
    const group = [1, 2, 3].find((one) => match[one] !== undefined) ?? 1
    const { from, to } = placeOf(match, group)
    const isOne = !isOrdinary({ key: 'password', value: line.slice(from, to), isQuoted: false })
    return isOne ? [{ what: 'a password on a command line', from, to, key: 'password' }] : []
  })
}

/** As in kubeconfig: the base64 of a PEM private key. */
function encodedKeys(line: string): readonly Found[] {
  return [...line.matchAll(/\bLS0tLS1CRUdJTi[A-Za-z0-9+/]{20,}={0,2}/g)].flatMap(({ 0: token, index }) => {
    const begin = Buffer.from(token.slice(0, 80), 'base64').toString('latin1')
    return begin.includes('PRIVATE KEY') ? [{ what: 'a private key', from: index, to: index + token.length }] : []
  })
}

function passwordHashes(line: string): readonly Found[] {
  const place = passwordHashIn(line)
  return place === undefined ? [] : [{ what: 'a password hash', ...place }]
}

/** References in braces may hold colons: postgres://${USER:-app}:${PASSWORD}@db. */
const reference = '\\$?\\{\\{?[^{}\\s]*\\}\\}?'
const address = new RegExp(
  `[a-z][a-z0-9+.-]{1,30}://((?:${reference}|[^\\s/:@'"{}]){0,200}):((?:${reference}|[^\\s/@'"]){1,500})@`,
  'dgi',
)

function inAddresses(line: string): readonly Found[] {
  return [...line.matchAll(address)].flatMap((match) => {
    const { from, to } = placeOf(match, 2)
    const [key = '', value = ''] = [match[1], match[2]]
    const isExample = isOrdinary({ key, value, isQuoted: true }) || /^pass(?:word)?$/i.test(value)
    return isExample ? [] : [{ what: 'a password in an address', from, to, key: 'password' }]
  })
}

function headers(line: string): readonly Found[] {
  const match = /\b(Bearer|Basic)\s+(?=\S*[0-9A-Z+/=])([A-Za-z0-9+/_.=~-]{16,})/d.exec(line)
  return match === null ? [] : [{ what: `a value after "${match[1]}"`, ...placeOf(match, 2), key: 'authorization' }]
}

function random(line: string): readonly Found[] {
  return randomTexts(line).map(({ from, to }) => ({ what: `a random text of ${to - from} characters`, from, to }))
}
