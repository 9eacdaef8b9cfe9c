// Which web origin is this server's own: the one its public address has, or the one the request itself was addressed to.
export function isOwnOrigin(origin: string, hostHeader: string | undefined, publicUrl: URL): boolean {
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.origin === publicUrl.origin || (hostHeader !== undefined && url.host === hostHeader.toLowerCase())
}
