// The code that node gives an error of the system, of the network or of TLS.

/** `ENOENT`, `ECONNREFUSED`, `ERR_TLS_CERT_ALTNAME_INVALID`; undefined for an error without one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
