// What a bare host fetches: the install script, and the agent's executable for its platform.
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { Hono } from 'hono'
import { notFound } from '../errors.ts'
import type { Artifact, Artifacts } from './artifacts.ts'

export type InstallParts = {
  readonly artifacts: Artifacts
  readonly publicUrl: URL
  readonly version: string
  script(artifacts: readonly Artifact[]): string
}

export function installRoutes({ artifacts, publicUrl, version, script }: InstallParts): Hono {
  const routes = new Hono()
  routes.get('/install', async (context) => {
    context.header('content-type', 'text/x-shellscript; charset=utf-8')
    return context.body(script(await artifacts.list()))
  })
  // What a repository's .plumb/agent holds, so that `./apply` needs no server.
  routes.get('/artifacts/pin', async (context) => {
    const lines = (await artifacts.list()).map(({ platform, sha256 }) => {
      return `${platform} ${sha256} ${new URL(`artifacts/${platform}.gz`, publicUrl).href}`
    })
    return context.text([`version ${version}`, ...lines, ''].join('\n'))
  })
  routes.get('/artifacts/:file', async (context) => {
    const name = context.req.param('file')
    const found = (await artifacts.list()).find(({ platform }) => name === `${platform}.gz`)
    if (found === undefined) throw notFound(`artifact "${name}" on this server (npm run build makes them)`)
    context.header('content-type', 'application/gzip')
    context.header('content-length', String(found.size))
    context.header('etag', `"${found.sha256}"`)
    if (context.req.method === 'HEAD') return context.body(null)
    return context.body(Readable.toWeb(createReadStream(found.file)))
  })
  return routes
}
