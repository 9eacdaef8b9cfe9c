// Tokens and private keys that say by their own form what they are, as their issuers document it. One list for what must not get into
// a commit and for what must not get into a report.
import { maskText } from '../../shared/mask-text.ts'

type KnownToken = { readonly what: string; readonly pattern: RegExp }

const known: readonly KnownToken[] = [
  { what: 'a GitHub token', pattern: /\b(?:gh[opusr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})/g },
  {
    what: 'a GitLab token',
    pattern:
      /\b(?:gl(?:pat|dt|rt|rtr|soat|ptt|ft|ffct|imt|oas|wt|cbt|agent)-[A-Za-z0-9_-]{20,}|GR1348941[A-Za-z0-9_-]{20,})/g,
  },
  { what: 'an AWS access key', pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bABSK[A-Za-z0-9+/]{100,}={0,2}/g },
  { what: 'a Slack token', pattern: /\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}/g },
  // Such an address lets its owner post to the channel.
  {
    what: 'the address of a webhook',
    pattern:
      /\bhooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9/]{16,}|\bdiscord(?:app)?\.com\/api\/webhooks\/\d{10,}\/[\w-]{40,}|\bwebhook\.office\.com\/webhookb2\/[\w@/-]{60,}/g,
  },
  { what: 'a Stripe key', pattern: /\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}=*)/g },
  { what: 'an API key', pattern: /\b(?:sk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{24,}|AIza[A-Za-z0-9_-]{35})/g },
  { what: 'an npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { what: 'a token of PyPI', pattern: /\bpypi-AgE[A-Za-z0-9_-]{50,}/g },
  { what: 'a Docker token', pattern: /\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}/g },
  // Of this server: of an enrollment, a person, a browser's session; and what a host answers for itself with when it fetches.
  {
    what: 'a token of Plumbline',
    pattern:
      /\b(?:plumb|session|operator|sync)_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])|\b\d{10}\.[A-Za-z0-9_-]{86}(?![A-Za-z0-9_-])/g,
  },
  { what: 'a key of Twilio', pattern: /\bSK[0-9a-f]{32}\b/g },
  // Of integrations before 2024; later ones begin with ntn_.
  { what: 'a token of Notion', pattern: /\bsecret_[A-Za-z0-9]{43}\b/g },
  { what: 'a token of Square', pattern: /\bEAAA[A-Za-z0-9_-]{56,}/g },
  {
    what: 'a secret of Azure',
    pattern: /(?<![A-Za-z0-9~._-])[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}(?![A-Za-z0-9~._-])/g,
  },
  { what: 'a key of Mailchimp', pattern: /\b[0-9a-f]{32}-us\d{1,2}\b/g },
  { what: 'a token of Airtable', pattern: /\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}\b/g },
  { what: 'a key of Postman', pattern: /\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b/g },
  { what: 'a token of Dynatrace', pattern: /\bdt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}\b/g },
  { what: 'a token of OpenShift', pattern: /\bsha256~[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g },
  { what: 'a SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/g },
  { what: 'a Mailgun key', pattern: /\bkey-[0-9a-f]{32}\b/g },
  { what: 'a token of Telegram', pattern: /\b\d{8,10}:AA[A-Za-z0-9_-]{32,33}(?![A-Za-z0-9_-])/g },
  { what: 'a token of Discord', pattern: /\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}/g },
  { what: 'a token of Vault', pattern: /\bhv[sbr]\.[A-Za-z0-9_-]{24,}/g },
  { what: 'a token of Terraform Cloud', pattern: /\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}/g },
  { what: 'a key of Tailscale', pattern: /\btskey-[a-z]+-[A-Za-z0-9-]{12,}/g },
  {
    what: 'a token of Cloudflare',
    pattern: /\bv1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|\beyJhIjoi[A-Za-z0-9+/_-]{100,}={0,2}/g,
  },
  { what: 'a token of Grafana', pattern: /\bgl(?:sa_[A-Za-z0-9]{32}_[0-9a-f]{8}|c_eyJ[A-Za-z0-9+/_-]{40,}={0,2})/g },
  { what: 'a token of Sentry', pattern: /\bsntry[su]_[A-Za-z0-9+/=_-]{40,}/g },
  { what: 'a Google token', pattern: /\b(?:GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{40,})/g },
  { what: 'a token of Atlassian', pattern: /\bAT(?:ATT3|CTT3)[A-Za-z0-9_=-]{100,}|\bATBB[A-Za-z0-9_=-]{32,}/g },
  { what: 'a token of 1Password', pattern: /\bops_eyJ[A-Za-z0-9_-]{100,}={0,2}/g },
  { what: 'an access token', pattern: prefixed() },
  { what: 'an age key', pattern: /\bAGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]+)-1[A-Z0-9]{50,}/g },
  // Signed, and encrypted, which has five parts, of which the second may be empty. Begins a word: `\b` would try again at each `-`.
  {
    what: 'a signed token (JWT)',
    pattern:
      /(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.(?:eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{16,})/g,
  },
]

/** A name of the issuer, then letters and digits alone. */
function prefixed(): RegExp {
  const base62 =
    'hf_ r8_ gsk_ pplx- lin_api_ ntn_ fo1_ xai- cio shpat_ shpss_ shpca_ shppa_ HRKU- NRAK- NRJS- sq0csp- sq0atp- figd_ AKCp8 oy2 xkeysib-'
  const hex = 'dop_v1_ doo_v1_ dor_v1_ pul- sbp_ rubygems_ dapi sqp_ squ_ sqa_'
  const long = 'dp.st. dp.pt. dp.ct. pscale_tkn_ pscale_pw_ pscale_oauth_ FlyV1 fm2_'
  const any = (prefixes: string) =>
    prefixes
      .split(' ')
      .map((one) => one.replaceAll('.', '\\.'))
      .join('|')
  return new RegExp(
    [`(?:${any(base62)})[A-Za-z0-9_-]{27,}`, `(?:${any(hex)})[0-9a-f]{32,}`, `(?:${any(long)}) ?[A-Za-z0-9._+/=-]{32,}`]
      .map((one) => `\\b${one}`)
      .join('|'),
    'g',
  )
}

/** Offsets into the line. */
export function knownTokens(
  line: string,
): readonly { readonly what: string; readonly from: number; readonly to: number }[] {
  return known.flatMap(({ what, pattern }) =>
    [...line.matchAll(pattern)].map((match) => ({ what, from: match.index, to: match.index + match[0].length })),
  )
}

/** As it is, but for tokens and the insides of private keys; line breaks stay. */
export function withoutKnownSecrets(text: string): string {
  const pem = text.includes('PRIVATE KEY') ? withoutKeys(text) : text
  const plain = pem.includes('Private-Lines:') ? withoutPuttyKeys(pem) : pem
  const named = withoutNamedSecrets(withoutEncodedKeys(plain))
  return known.reduce((masked, { pattern }) => masked.replace(pattern, maskText), named)
}

const keyBegins = /-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}/
const keyEnds = /-{4,5} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}/
/** Of PEM and of PGP's armor; something can stand before it, as in a diff, a quotation or YAML. */
const keyLine = /^[\s>|+"'-]*(?:[A-Za-z0-9+/=]*|[A-Za-z][A-Za-z-]*: .{0,200})[\s"',\\]*$/

/** Line by line, since the text may be cut: a key without its end goes on as long as the lines look like one. */
function withoutKeys(text: string): string {
  const lines = text.split('\n')
  let isInside = false
  for (const [index, line] of lines.entries()) {
    const begins = keyBegins.exec(line)
    const from = begins === null ? 0 : begins.index + begins[0].length
    if (begins === null && !isInside) {
      if (keyEnds.test(line)) maskBefore(lines, index)
      continue
    }
    const ends = keyEnds.exec(line.slice(from))
    if (ends === null && begins === null && !keyLine.test(line)) {
      isInside = false
      continue
    }
    const to = ends === null ? line.length : from + ends.index
    lines[index] = `${line.slice(0, from)}${maskedPart(line.slice(from, to))}${line.slice(to)}`
    isInside = ends === null
  }
  return lines.join('\n')
}

/** Of a key whose beginning was cut off. */
function maskBefore(lines: string[], end: number): void {
  for (let index = end - 1; index >= 0 && /[A-Za-z0-9+/=]{4}/.test(lines[index] ?? ''); index -= 1) {
    if (!keyLine.test(lines[index] ?? '')) return
    lines[index] = maskedPart(lines[index] ?? '')
  }
}

function maskedPart(part: string): string {
  return part.replace(/\S(?:.*\S)?/, maskText)
}

/** As PuTTY keeps it: the number of lines is given, and they are base64 alone. */
function withoutPuttyKeys(text: string): string {
  return text.replace(
    /(Private-Lines: *\d+[^\S\n]*\n)((?:[ \t>|]*[A-Za-z0-9+/]+={0,2}\r?(?:\n|$))+)/g,
    (_, head: string, body: string) => head + body.replace(/[A-Za-z0-9+/]+={0,2}(?=\r?(?:\n|$))/g, maskText),
  )
}

/** As in a Secret of Kubernetes: base64 of `-----BEGIN `, in one of three forms by how many bytes stand before it. */
function withoutEncodedKeys(text: string): string {
  return encodedBegins.reduce(
    (masked, { pattern, before }) =>
      masked.replace(pattern, (encoded) =>
        keyBegins.test(Buffer.from(before + encoded.slice(0, 120), 'base64').toString('latin1')) ? maskText : encoded,
      ),
    text,
  )
}

/** `before` stands for what completes a group of four letters. */
const encodedBegins = [
  { pattern: /LS0tLS1CRUdJTi[A-Za-z0-9+/=]{20,}/g, before: '' },
  { pattern: /0tLS0tQkVHSU4g[A-Za-z0-9+/=]{20,}/g, before: 'AA' },
  { pattern: /tLS0tLUJFR0lOI[A-Za-z0-9+/=]{20,}/g, before: 'AAA' },
]

/** Values that their names alone make secrets, in forms that do without quotes and escapes. */
function withoutNamedSecrets(text: string): string {
  return (
    text
      .replace(/\b((?:PrivateKey|PresharedKey)[ \t]*=[ \t]*)[A-Za-z0-9+/]{43}=/g, `$1${maskText}`)
      .replace(/\b(aws_(?:secret_access_key|session_token)[ \t]*=[ \t]*)[A-Za-z0-9+/=]{20,}/gi, `$1${maskText}`)
      // Azure: the signature of a shared access address, the key of an account or a bus.
      .replace(/([?&;]sig=)[A-Za-z0-9%+/_-]{40,}(?:%3[dD]|=)?/g, `$1${maskText}`)
      .replace(/\b((?:AccountKey|SharedAccessKey)[ \t]*=[ \t]*)[A-Za-z0-9+/]{40,}={0,2}/g, `$1${maskText}`)
      .replace(/(:\/\/[^\s/:@"'<>]{0,128}:)(?![$<{%])[^\s/@"'<>]{3,256}(?=@)/g, `$1${maskText}`)
  )
}
