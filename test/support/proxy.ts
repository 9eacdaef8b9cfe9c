// A reverse proxy in front of a server, as nginx, caddy or haproxy is one: real sockets, and only the headers that its kind adds.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net'

export type RunningProxy = { readonly url: string; close(): Promise<void> }

export type ProxyOptions = {
  readonly to: string
  /** Where the proxy itself comes from, and listens. */
  readonly address: string
  /** What it sends on, of what it got from `peer`. */
  headers(given: IncomingHttpHeaders, peer: string): IncomingHttpHeaders
}

export async function startProxy({ to, address, headers }: ProxyOptions): Promise<RunningProxy> {
  const target = new URL(to)
  const hostname = target.hostname.replace(/^\[|\]$/g, '')
  const options = (from: IncomingMessage) => ({
    ...{ hostname, port: target.port, localAddress: address, method: from.method, path: from.url },
    headers: headers(from.headers, from.socket.remoteAddress ?? ''),
  })
  const server = createServer((from, answer) => {
    const passed = request(options(from), (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    from.pipe(passed)
  })
  server.on('upgrade', (from, socket) => {
    const passed = request(options(from))
    passed.on('upgrade', (response, upstream) => {
      const lines = response.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : []))
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
      upstream.pipe(socket).pipe(upstream)
      for (const side of [upstream, socket]) side.on('error', () => side.destroy())
    })
    passed.on('error', () => socket.destroy())
    passed.end()
  })
  return await listening(server, address)
}

/** What nginx does without further settings: HTTP/1.0, the address of the server as its name, and no word of the client. */
export async function startPlainNginx(to: string): Promise<RunningProxy> {
  const { host, hostname, port } = new URL(to)
  const server = createTcpServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) })
    client.once('data', (head: Buffer) => {
      const rest = head
        .toString('latin1')
        .replace(/^host:.*\r\n/im, '')
        .replace(/^connection:.*\r\n/im, '')
      const line = rest.replace(/ HTTP\/1\.1\r\n/, ` HTTP/1.0\r\nHost: ${host}\r\nConnection: close\r\n`)
      upstream.write(line, 'latin1')
    })
    upstream.pipe(client)
    for (const side of [upstream, client]) side.on('error', () => side.destroy())
  })
  return await listening(server, '127.0.0.1')
}

async function listening(server: Server, address: string): Promise<RunningProxy> {
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function')
          server.closeAllConnections()
      }),
  }
}
