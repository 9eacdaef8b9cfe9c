// Content that is not meant for a host: what another tool encrypted, pointers to content elsewhere, unresolved merge conflicts. Pure.
import type { FileSettings } from '../../shared/repository/service.ts'

/** Stored with digests, so an identifier is never reused for something else. */
export const foreignForms = [
  'lfs-pointer',
  'annex-pointer',
  'git-crypt',
  'ansible-vault',
  'sops',
  'age',
  'openpgp',
  'openssl',
  'ejson',
  'eyaml',
  'vim',
  'merge-conflict',
  'strongbox',
  'cms',
  'dotenvx',
] as const

export type ForeignForm = (typeof foreignForms)[number]

type Description = {
  /** Completes "the file ...". */
  readonly message: string
  readonly remedy: string
  /** The value of `allow` in service.yaml that deploys it as it is; a pointer is never of use on a host. */
  readonly allow?: FileSettings['allow']
}

export function describeForeign(form: ForeignForm): Description {
  return descriptions[form]
}

/** Undefined for ordinary content. */
export function foreignForm(content: Uint8Array): ForeignForm | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const start = bytes
    .toString('latin1', 0, 200)
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart()
  return starts.find(({ pattern }) => pattern.test(start))?.form ?? binaryForm(bytes) ?? textForm(bytes)
}

const starts: readonly { readonly form: ForeignForm; readonly pattern: RegExp }[] = [
  { form: 'lfs-pointer', pattern: /^version https:\/\/(?:git-lfs|hawser)\.[^\n]*\r?\n(?:ext-[^\n]*\n)*oid / },
  { form: 'annex-pointer', pattern: /^\/annex\/objects\/[^\n]+(?:\n|$)/ },
  { form: 'git-crypt', pattern: /^\0GITCRYPT\0/ },
  { form: 'age', pattern: /^(?:age-encryption\.org\/v[0-9]+\r?\n|-----BEGIN AGE ENCRYPTED FILE-----)/ },
  { form: 'strongbox', pattern: /^# STRONGBOX ENCRYPTED RESOURCE/ },
  {
    form: 'cms',
    pattern:
      /^-----BEGIN CMS-----|^(?:[\w-]+: [^\n]*\n)*content-type: application\/(?:x-)?pkcs7-mime\b[^\n]*enveloped-data/i,
  },
  // Within a longer text such a block is data: a mail, a page of documentation.
  { form: 'openpgp', pattern: /^-----BEGIN PGP MESSAGE-----/ },
  // A single value out of a file of SOPS; within a text its metadata are needed, see isSops.
  { form: 'sops', pattern: /^ENC\[AES256_GCM,data:/ },
  { form: 'vim', pattern: /^VimCrypt~[0-9]/ },
  { form: 'openssl', pattern: /^(?:Salted__|U2FsdGVkX1[89+/][A-Za-z0-9+/]{10})/ },
]

/** RFC 9580: a session key packet, public-key (version 3) or symmetric (version 4), begins every encrypted message. */
function binaryForm(bytes: Buffer): ForeignForm | undefined {
  const [tag = 0, length = 0, version, cipher = 0] = bytes
  const isPublicKey =
    (tag === 0x84 && version === 3 && isKeyAlgorithm(bytes[11])) ||
    (tag === 0x85 && bytes[3] === 3 && isKeyAlgorithm(bytes[12])) ||
    (tag === 0xc1 && length < 192 && version === 3 && isKeyAlgorithm(bytes[11]))
  // RFC 9580: versions 5 and 6 name how they are encrypted by cipher and mode; a length of two octets begins at 192.
  const isLong = tag === 0xc1 && length >= 192 && length < 224 && bytes[3] === 3 && isKeyAlgorithm(bytes[12])
  const isAead = (tag === 0x8c || tag === 0xc3) && version === 5 && cipher >= 7 && cipher <= 13 && isMode(bytes[4])
  if (isLong || isAead) return 'openpgp'
  const isSymmetric = (tag === 0x8c || tag === 0xc3) && length < 64 && version === 4 && cipher >= 1 && cipher <= 13
  return isPublicKey || (isSymmetric && (bytes[4] ?? 9) <= 3) ? 'openpgp' : undefined
}

function isKeyAlgorithm(octet: number | undefined): boolean {
  return octet === 1 || octet === 2 || octet === 16 || octet === 18 || octet === 25
}

/** EAX, OCB, GCM */
function isMode(octet: number | undefined): boolean {
  return octet === 1 || octet === 2 || octet === 3
}

/** Forms that stand somewhere in a text; each is searched for by a literal first, which is fast in large files. */
function textForm(bytes: Buffer): ForeignForm | undefined {
  if (bytes.includes('$ANSIBLE_VAULT;') && /^(?:\u00ef\u00bb\u00bf)?[ \t]*\$ANSIBLE_VAULT;[0-9]/m.test(textOf(bytes)))
    return 'ansible-vault'
  if (bytes.includes('ENC[AES256_GCM,') && isSops(textOf(bytes))) return 'sops'
  if (bytes.includes('"EJ[1:') && /"_public_key"\s*:/.test(textOf(bytes))) return 'ejson'
  if (bytes.includes('ENC[') && /\bENC\[(?:PKCS7|GPG|KMS),[A-Za-z0-9+/\s]{40}/.test(textOf(bytes))) return 'eyaml'
  if (
    bytes.includes('encrypted:') &&
    /^DOTENV_PUBLIC_KEY/m.test(textOf(bytes)) &&
    /=[ \t]*["']?encrypted:/.test(textOf(bytes))
  )
    return 'dotenvx'
  return bytes.includes('<<<<<<< ') && hasConflict(textOf(bytes)) ? 'merge-conflict' : undefined
}

const textLimitBytes = 16 * 1024 * 1024

function textOf(bytes: Buffer): string {
  return bytes.toString('latin1', 0, textLimitBytes)
}

/** Its own metadata, in each of its formats: YAML and JSON (binary too), dotenv, INI. */
function isSops(text: string): boolean {
  const isDocument =
    /^[ \t]*"?sops"?[ \t]*:/m.test(text) || /[{,]\s*"sops"\s*:\s*\{/.test(text) || /^\[sops\]/m.test(text)
  if (isDocument) return /\b(?:mac|lastmodified)"?[ \t]*[:=]/.test(text)
  return /^sops_(?:mac|lastmodified)[ \t]*=/m.test(text)
}

/** All three markers in their order at the beginning of lines: a heading underlined by `=======` is none. jj has its own in the middle. */
function hasConflict(text: string): boolean {
  let seen: 'nothing' | 'ours' | 'theirs' = 'nothing'
  for (const line of text.split('\n')) {
    if (line.startsWith('<<<<<<< ')) seen = 'ours'
    else if (seen === 'ours' && /^(?:={7}\r?$|%{7} |\+{7} )/.test(line)) seen = 'theirs'
    else if (seen === 'theirs' && /^>{7}(?: |\r?$)/.test(line)) return true
  }
  return false
}

const encrypted = (tool: string, decrypt: string): Description => ({
  message: `is encrypted by ${tool}, and a host would get the ciphertext`,
  remedy: `Put the plain file there with its secrets as \${{ secrets.NAME }} (${decrypt} shows it), or say that the host decrypts it: \`allow: encrypted\` under files in service.yaml.`,
  allow: 'encrypted',
})

const descriptions: Readonly<Record<ForeignForm, Description>> = {
  'lfs-pointer': {
    message: 'is a pointer of Git LFS, not the file itself; hosts do not fetch from LFS',
    remedy: 'Commit the file itself: git lfs migrate export.',
  },
  'annex-pointer': {
    message: 'is a pointer of git-annex, not the file itself; hosts do not fetch from an annex',
    remedy: 'Commit the file itself: git annex unannex.',
  },
  'git-crypt': encrypted('git-crypt', 'git-crypt unlock'),
  'ansible-vault': encrypted('ansible-vault', 'ansible-vault view'),
  sops: encrypted('SOPS', 'sops --decrypt'),
  age: encrypted('age', 'age --decrypt'),
  openpgp: encrypted('OpenPGP', 'gpg --decrypt'),
  openssl: encrypted('openssl enc', 'openssl enc -d'),
  ejson: encrypted('ejson', 'ejson decrypt'),
  eyaml: encrypted('hiera-eyaml', 'eyaml decrypt'),
  vim: encrypted('vim', 'vim'),
  strongbox: encrypted('strongbox', 'strongbox -decrypt'),
  cms: encrypted('CMS', 'openssl cms -decrypt'),
  dotenvx: encrypted('dotenvx', 'dotenvx get'),
  'merge-conflict': {
    message: 'holds the markers of a merge conflict that nobody resolved',
    remedy: 'Resolve it, or say that they belong there: `allow: conflict-markers` under files in service.yaml.',
    allow: 'conflict-markers',
  },
}
