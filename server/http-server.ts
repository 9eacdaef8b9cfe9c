// The one socket of the server: http or https, requests to the app and upgrades to the agents' gate.

import type { IncomingMessage } from 'node:http'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { PlumbError } from '../shared/problem.ts'
import type { Certificate } from './tls.ts'

export type HttpServer = {
  readonly port: number
  serve(requests: RequestListener, upgrades: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): void
  close(): Promise<void>
}

/** Ten thousand agents may come back at once; the usual queue of 511 would turn most of them away. */
const backlog = 8192

export async function startListening(
  listen: { readonly host: string; readonly port: number },
  certificate: Certificate | undefined,
): Promise<HttpServer> {
  const server = certificate === undefined ? createHttpServer() : createHttpsServer(tlsOptions(certificate))
  await listening(server, listen)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.port,
    serve(requests, upgrades) {
      server.on('request', requests)
      server.on('upgrade', (request, socket, head) => {
        socket.on('error', () => socket.destroy())
        upgrades(request, socket, head)
      })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function tlsOptions({ key, certificate }: Certificate) {
  return { key, cert: certificate, minVersion: 'TLSv1.2' as const }
}

function listening(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new PlumbError(
          {
            code: 'usage',
            message: `cannot listen on ${host}:${port}: ${error.code ?? error.message}`,
            remedy:
              error.code === 'EADDRINUSE'
                ? 'Something listens there already; choose another with --listen.'
                : 'Choose another with --listen.',
          },
          { cause: error },
        ),
      )
    })
    server.listen({ host, port, backlog }, () => resolve())
  })
}
