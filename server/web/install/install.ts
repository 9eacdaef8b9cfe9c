// What a bare host fetches: the install script, and the agent's executable for its platform.
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Context } from 'hono'
import { notFound } from '../errors.ts'
import type { Route } from '../route.ts'
import type { Artifact, Artifacts } from './artifacts.ts'

export type Install = {
  readonly artifacts: Artifacts
  script(artifacts: readonly Artifact[]): string
}

export type InstallParts = { readonly install: Install; readonly publicUrl: URL; readonly version: string }

export function installRoutes({ install, publicUrl, version }: InstallParts): readonly Route[] {
  const { artifacts, script } = install
  return [
    file('/install', async (context) => {
      context.header('content-type', 'text/x-shellscript; charset=utf-8')
      return context.body(script(await artifacts.list()))
    }),
    // What a repository's .plumb/agent holds, so that `./apply` needs no server.
    file('/artifacts/pin', async (context) => {
      const lines = (await artifacts.list()).map(({ platform, sha256 }) => {
        return `${platform} ${sha256} ${new URL(`artifacts/${platform}.gz`, publicUrl).href}`
      })
      return context.text([`version ${version}`, ...lines, ''].join('\n'))
    }),
    file('/artifacts/:file', async (context) => {
      const name = context.req.param('file') ?? ''
      const found = (await artifacts.list()).find(({ platform }) => name === `${platform}.gz`)
      if (found === undefined) throw notFound(`artifact "${name}" on this server (npm run build makes them)`)
      context.header('content-type', 'application/gzip')
      context.header('content-length', String(found.size))
      context.header('etag', `"${found.sha256}"`)
      if (context.req.method === 'HEAD') return context.body(null)
      return context.body(Readable.toWeb(createReadStream(found.file)))
    }),
  ]
}

function file(path: string, handler: (context: Context) => Promise<Response>): Route {
  const kinds = { surface: 'plain', body: { kind: 'none' }, answer: { kind: 'file' } } as const
  return { method: 'GET', path, role: 'anyone', ...kinds, handler: ({ context }) => handler(context) }
}
