// The project's own mirror as a plain function of requests, with whatever says who asks.
import { createMirror, type MirrorOptions, mirrorPath, unauthorized } from '../../server/repository/mirror.ts'

export type MirrorRoutes = { fetch(request: Request): Promise<Response> }

/** `authorize`: whose share of the server a request takes; undefined: it may not fetch. */
export function mirrorRoutes({
  authorize,
  ...options
}: MirrorOptions & { authorize(request: Request): string | undefined }): MirrorRoutes {
  const mirror = createMirror(options)
  return {
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      const host = authorize(request)
      const asked = `${request.method} ${pathname.slice(mirrorPath.length)} ${searchParams.get('service') ?? ''}`
      if (asked === 'GET /info/refs git-upload-pack')
        return host === undefined ? unauthorized() : mirror.advertise(request, host)
      if (asked === 'POST /git-upload-pack ')
        return host === undefined ? unauthorized() : mirror.uploadPack(request, host)
      return new Response('404 Not Found', { status: 404 })
    },
  }
}
