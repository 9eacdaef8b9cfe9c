// An address as a person gives it -> one that is fit for files, arguments, logs and pages, and the credentials that it carried.
// Addresses are split where they come in; nothing behind that place sees user and password in one text with the address.

export type Credentials = { readonly username: string; readonly password: string }

export type SplitAddress = {
  /** Without user information; of ssh without a password: there the user is part of the address. */
  readonly url: string
  /** Of http(s) alone: ssh takes no password from an address. */
  readonly credentials?: Credentials
}

/** Never throws: what is no address comes back as it is, or without whatever stands before its last `@`. */
export function splitAddress(text: string): SplitAddress {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) && !/^https?:/i.test(text)) return { url: text }
  const url = URL.parse(text)
  // A password with a `/` in it, unencoded, ends the name of the host too early.
  if (url === null) return { url: text.replace(/^([^:]*:\/*).*@/s, '$1') }
  const isSsh = /^(?:git\+)?ssh(?:\+git)?:$/.test(url.protocol)
  if (url.password === '' && (url.username === '' || isSsh)) return { url: text }
  const credentials = { username: decoded(url.username), password: decoded(url.password) }
  const isWeb = /^https?:$/.test(url.protocol)
  if (!isSsh) url.username = ''
  url.password = ''
  return { url: url.href, ...(isWeb ? { credentials } : {}) }
}

/** For what other programs say: user information is taken out of every address in the text. Linear: of a scheme its end is enough. */
export function withoutUserInformation(text: string): string {
  return text.replace(/(?<=[a-z0-9+.-]:\/\/)[^\s/?#"'<>]*@/gi, '')
}

/** Arguments of a process are public. What it should be called instead; undefined: they hold no user information. */
export function publicTitle(words: readonly string[]): string | undefined {
  const shown = words.map(withoutUserInformation)
  return shown.some((word, at) => word !== words[at]) ? shown.join(' ') : undefined
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
