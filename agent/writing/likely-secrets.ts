// What in a text is likely a secret that must not reach the repository: text -> lines, with the value's place where one can be cut out.
// Errs to the side of telling: whoever asked can say that it is none. Values never stand in what is returned.
import { knownTokens } from './known-tokens.ts'

export type LikelySecret = {
  /** 1-based. */
  readonly line: number
  /** A noun phrase without the value: `the value of "requirepass"`, `a private key`. */
  readonly what: string
}

/** Offsets into the text; undefined where no single value can be replaced by a name, as in a key of many lines. */
export type SecretPlace = LikelySecret & {
  readonly value?: { readonly start: number; readonly end: number }
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
    // The body of a certificate or key is random; what begins it was told where it is a secret.
    inBlock = inBlock && /^\s*[A-Za-z0-9+/=]*\s*$/.test(line.slice(0, lineLimit))
    // What is longer is data rather than a line somebody wrote; patterns are not tried on all of it.
    if (!inBlock) found.push(...placesIn(line.slice(0, lineLimit), { line: index + 1, start }))
    if (line.includes('-----BEGIN ')) inBlock = true
    start += line.length + 1
  }
  return found
}

const lineLimit = 16_384

type At = { readonly line: number; readonly start: number }
type Found = { readonly what: string; readonly from: number; readonly to: number; readonly key?: string }

function placesIn(line: string, { line: number, start }: At): readonly SecretPlace[] {
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----/.test(line)) return [{ line: number, what: 'a private key' }]
  const isComment = /^\s*(?:#|;|\/\/|--\s|<!--|\/?\*)/.test(line)
  const all = [
    ...knownTokens(line),
    ...inAddresses(line),
    ...(isComment ? [] : [...passwordHashes(line), ...assignments(line), ...headers(line), ...random(line)]),
  ].toSorted((one, other) => one.from - other.from || one.to - other.to)
  const places: Found[] = []
  for (const one of all) if (one.from >= (places.at(-1)?.to ?? 0)) places.push(one)
  return places.map(({ what, from, to, key }) => ({
    line: number,
    what,
    ...(from === to ? {} : { value: { start: start + from, end: start + to } }),
    ...(key === undefined ? {} : { key }),
  }))
}

const secretWord =
  '(?:password|passwd|passphrase|passwort|pass|bindpw|rootpw|secret|token|api[_-]?key|apikey|access[_-]?key|secret[_-]?key(?:[_-]?base)?|account[_-]?key|private[_-]?key|preshared[_-]?key|encryption[_-]?key|signing[_-]?key|auth[_-]?key|psk|credentials?|requirepass|masterauth|primaryauth)'
const quotedOr = `"((?:[^"\\\\]|\\\\.)*)"|'((?:[^'\\\\]|\\\\.)*)'`
/** `key = value`, `key: value`, `"key": "value"`, also within a line. */
const assigned = new RegExp(
  `(?:^|[\\s"'{(,;&?-])([A-Za-z0-9_.-]{0,100}?${secretWord})["']?\\s*(?:=>|:=|=|:(?=[\\s"']))\\s*(?:${quotedOr}|([^\\s"']+))`,
  'dgi',
)
/** `requirepass value` and nothing else: PAM's `password required pam_unix.so` is none. */
const directive = new RegExp(
  `^\\s*([A-Za-z0-9_.-]{0,100}?${secretWord})\\s+(?:${quotedOr}|([^\\s"'=:]\\S*?));?\\s*(?:#.*)?$`,
  'di',
)
/** haproxy: `user anna insecure-password value groups ops`; redis: `user anna on >value ~*`. */
const userDirective = /^\s*user\s+\S+\s+(?:\S+\s+)*?((?:insecure-)?password\s+|>|#(?=[0-9a-f]{64}))(\S+)/di
const statsAuth = /^\s*(?:stats\s+)?(auth)\s+[^\s:]+:(\S+)\s*$/di
const element = new RegExp(`<([A-Za-z0-9_.-]{0,100}?${secretWord})>([^<]+)</`, 'dgi')

function assignments(line: string): readonly Found[] {
  const one = directive.exec(line)
  const user = userDirective.exec(line) ?? statsAuth.exec(line)
  const matches = [...line.matchAll(assigned), ...line.matchAll(element), ...(one === null ? [] : [one])]
  return [
    ...matches.flatMap((match) => {
      const at = [2, 3, 4].find((group) => match[group] !== undefined) ?? 0
      const [from, to] = match.indices?.[at] ?? [0, 0]
      const key = match[1] ?? ''
      const value = at === 4 ? line.slice(from, to).replace(/[;,})\]]+$/, '') : line.slice(from, to)
      // Of a value of many lines only the beginning is here.
      if (/^[|>][-+]?$/.test(value)) return [{ what: `the value of "${key}"`, from, to: from, key }]
      return isPlaceholder(value, key) ? [] : [{ what: `the value of "${key}"`, from, to: from + value.length, key }]
    }),
    ...(user === null || isPlaceholder(user[2] ?? '', '')
      ? []
      : [secondOf(user, 'the password of a user', 'password')]),
  ]
}

function secondOf(match: RegExpExecArray, what: string, key: string): Found {
  const [from, to] = match.indices?.[2] ?? [0, 0]
  return { what, from, to, key }
}

const placeholders =
  /^(?:yes|no|true|false|on|off|null|nil|none|never|always|required|requisite|optional|sufficient|include|prompt|ask|default|disabled?|enabled?|auto|basic|bearer|md5|scram-sha-256|files|compat|db|sss|ldap|systemd|public|password|passwd|secret|token|changeme|change[_-]?me|replace[_-]?me|example|foobared|todo|x+|\*+|\.+|-+|your[_-].*|my[_-]?(?:password|secret|token))$/i

/** What names a value rather than being one, or is too plain to be one. */
function isPlaceholder(value: string, key: string): boolean {
  if (isHash(value)) return false
  return (
    value.length < 3 ||
    placeholders.test(value) ||
    value.toLowerCase() === key.toLowerCase() ||
    /^[0-9]{1,5}(?:ms|[smhd])?$/.test(value) ||
    // Shell, compose, templates, systemd's specifiers; <angle brackets> of manuals.
    /^(?:\$[A-Za-z_{(]|\{\{|%[({A-Za-z]|<.*>$|@[A-Z_]+@$|!vault|!secret)/.test(value) ||
    // A path, or a call in a program.
    (/^(?:~|\.{1,2})?\/(?:[A-Za-z0-9_.@-]+\/)*[A-Za-z0-9_.@-]+\/?$/.test(value) && /[a-z]{3}/.test(value)) ||
    /\.(?:pem|key|crt|cert|file|txt|so|conf|env)$/i.test(value) ||
    /^[A-Za-z_][\w.]*[([]/.test(value) ||
    /^file:\/\//.test(value)
  )
}

const hashPattern = /\$(?:2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}|(?:apr1|1|5|6|y|7|sha1|argon2(?:id|i|d))\$[^\s:"']{8,})/
const scramPattern = /SCRAM-SHA-256\$[0-9]+:[^\s"']{20,}/

function isHash(value: string): boolean {
  return hashPattern.test(value) || scramPattern.test(value)
}

function passwordHashes(line: string): readonly Found[] {
  const match = hashPattern.exec(line) ?? scramPattern.exec(line) ?? /\{S?SHA\}[A-Za-z0-9+/=]{20,}/.exec(line)
  return match === null ? [] : [{ what: 'a password hash', from: match.index, to: match.index + match[0].length }]
}

const address = /[a-z][a-z0-9+.-]{1,30}:\/\/([^\s/:@'"]{0,200}):([^\s/@'"]{1,500})@/dgi

function inAddresses(line: string): readonly Found[] {
  return [...line.matchAll(address)].flatMap((match) => {
    const [from, to] = match.indices?.[2] ?? [0, 0]
    const isExample = isPlaceholder(match[2] ?? '', match[1] ?? '') || /^pass(?:word)?$/i.test(match[2] ?? '')
    return isExample ? [] : [{ what: 'a password in an address', from, to, key: 'password' }]
  })
}

function headers(line: string): readonly Found[] {
  const match = /\b(Bearer|Basic)\s+([A-Za-z0-9+/_.=~-]{16,})/d.exec(line)
  return match === null ? [] : [secondOf(match, `a value after "${match[1]}"`, 'authorization')]
}

/** Digests, fingerprints and public keys are random and meant to be seen. */
const openlyRandom =
  /public|fingerprint|sha-?(?:1|224|256|384|512)|md5|ssh-(?:rsa|ed25519)|ecdsa-|\bAAAA[A-Z]|DNSKEY|integrity/i

function random(line: string): readonly Found[] {
  if (openlyRandom.test(line)) return []
  return [...line.matchAll(/(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_]{32,512}={0,2}(?![A-Za-z0-9+/_-])/g)].flatMap((match) => {
    const [token] = match
    const looksTyped =
      !/[a-z]/.test(token) ||
      !/[A-Z]/.test(token) ||
      (token.match(/[0-9]/g) ?? []).length < 2 ||
      /[/_][a-z]{3,}[/_]/.test(token)
    if (looksTyped || entropyOf(token) < 4.2) return []
    return [{ what: `a random text of ${token.length} characters`, from: match.index, to: match.index + token.length }]
  })
}

/** Bits a character. */
function entropyOf(text: string): number {
  const counts = Map.groupBy(text, (character) => character)
  return [...counts.values()].reduce(
    (sum, { length }) => sum - (length / text.length) * Math.log2(length / text.length),
    0,
  )
}
