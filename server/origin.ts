// Which web origin is this server's own: the one its public address has, or the one the request itself was addressed to.
export function isOwnOrigin(origin: string, hostHeader: string | undefined, publicUrl: URL): boolean {
  const url = URL.parse(origin)
  if (url === null) return false
  return url.origin === publicUrl.origin || (hostHeader !== undefined && url.host === hostHeader.toLowerCase())
}

export function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
}
