// Texts that look as if a program had drawn them: keys and tokens of an unknown issuer.

/** Offsets into the line. */
export function randomTexts(line: string): readonly { readonly from: number; readonly to: number }[] {
  if (isOpenlyRandom(line)) return []
  return [...line.matchAll(/(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_]{32,512}={0,2}(?![A-Za-z0-9+/_-])/g)].flatMap((match) => {
    const [token] = match
    const to = match.index + token.length
    // A file's name goes on with its extension.
    if (/^\.[A-Za-z]{2,5}\b/.test(line.slice(to, to + 7)) || looksTyped(token)) return []
    return [{ from: match.index, to }]
  })
}

/** Digests, fingerprints, public keys and encoded pictures are random and meant to be seen. */
export function isOpenlyRandom(line: string): boolean {
  return /public|fingerprint|sha-?(?:1|224|256|384|512)|md5|checksum|ssh-(?:rsa|ed25519)|ecdsa-|\bAAAA[A-Z]|DNSKEY|(?:initial|static)-key|\b257 3 [0-9]|RRSIG|TLSA|v=DKIM1|integrity|sigkey|\bh1:|certificate-authority|\bca-?data|data:[a-z]+\/|Ag[A-D][A-Za-z0-9+/]{200}|LS0tLS1CRUdJTiBDRVJU/i.test(
    line,
  )
}

function looksTyped(token: string): boolean {
  if (!/[a-z]/.test(token) || !/[A-Z]/.test(token) || (token.match(/[0-9]/g) ?? []).length < 2) return true
  if (/[/_][a-z]{3,}[/_]/.test(token) || /abcdef|ABCDEF|012345/.test(token)) return true
  const inWords = (token.match(/[A-Z]?[a-z]{3,}/g) ?? []).join('').length
  return inWords / token.length > 0.5 || entropyOf(token) < 4.2
}

/** Bits a character. */
function entropyOf(text: string): number {
  const counts = Map.groupBy(text, (character) => character)
  return [...counts.values()].reduce(
    (sum, { length }) => sum - (length / text.length) * Math.log2(length / text.length),
    0,
  )
}
