// Requests with headers of one's own, and how hosts and the operator prove who they are.
import { sign } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { mirrorText } from '../../../shared/protocol.ts'
import type { TestAgent, TestServer } from '../kit.ts'

export type Asked = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export type Answered = { readonly status: number | undefined; readonly location: string | undefined }

/** With a `Host` of one's own, which fetch does not send. */
export async function ask(server: TestServer, { method, path, headers, body }: Asked): Promise<Answered> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(new URL(path, server.url), { method, headers, agent: false }, resolve)
    sent.on('error', reject)
    sent.end(body)
  })
  response.destroy()
  return { status: response.statusCode, location: response.headers.location }
}

/** The cookie of a new session. */
export async function signIn(server: TestServer): Promise<string> {
  const headers = { origin: new URL(server.url).origin }
  const body = new URLSearchParams({ token: server.operatorToken })
  const response = await fetch(new URL('/login', server.url), { method: 'POST', body, headers, redirect: 'manual' })
  return response.headers.get('set-cookie')?.split(';')[0] ?? ''
}

export function signedBy({ host, privateKey }: TestAgent, server: TestServer): string {
  const at = Math.floor(server.clock.now().getTime() / 1000)
  const signature = sign(null, Buffer.from(mirrorText(host, at)), privateKey).toString('base64url')
  return `Basic ${Buffer.from(`${host}:${at}.${signature}`).toString('base64')}`
}
