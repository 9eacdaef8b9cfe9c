// Whatever an event brings, its handler cannot end the server: every handler in server/ and shared/platform/ is wrapped, and the wrapper holds.
import { EventEmitter, once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { parseSync } from '@swc/core'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { endsConnection, guarded } from '../../shared/platform/guarded.ts'

const silent = pino({ level: 'silent' })

describe('a handler', () => {
  test.each([
    ['throws', () => Promise.reject(new Error('asynchronously'))],
    [
      'rejects',
      () => {
        throw new Error('at once')
      },
    ],
  ])('that %s ends what it belongs to, and its emitter goes on', async (_how, handler) => {
    const emitter = new EventEmitter()
    const ended = new Promise<unknown[]>((resolve) => {
      emitter.on(
        'message',
        guarded(handler, (...said: unknown[]) => resolve(said)),
      )
    })
    let after = 0
    emitter.on('message', () => {
      after += 1
    })

    emitter.emit('message', 'text')

    expect(await ended).toEqual([expect.any(Error), 'text'])
    expect(after).toBe(1)
  })

  test('that fails closes its own connection and no other', async () => {
    const server = createServer()
    const failing = (_request: IncomingMessage, _socket: Duplex): never => {
      throw new Error('a fault of ours')
    }
    server.on(
      'upgrade',
      guarded(failing, (thrown, _request, socket) => endsConnection(silent, socket)(thrown)),
    )
    server.on('request', (_request, response) => response.end('fine'))
    const port = await listening(server)
    const victim = connect(port, '127.0.0.1')
    victim.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')

    await once(victim, 'close')

    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('fine')
    server.close()
    server.closeAllConnections()
  })
})

describe('in the sources of the server', () => {
  const calls = [...callsOf('server'), ...callsOf('shared/platform')]

  test('every listener and timer goes through the wrapper', () => {
    const added = calls.filter(({ handler }) => handler !== undefined)
    expect(added.length).toBeGreaterThan(25)

    expect(added.filter(({ handler }) => handler === 'bare').map(({ at }) => at)).toEqual([])
  })

  test('no `onmessage = ...` takes the way round', () => {
    expect(sourcesOf('server').filter(({ text }) => /\.on[a-z]+ = /.test(text))).toEqual([])
  })

  test('foreign text is parsed where a throw is an answer', () => {
    const throwing = new Set(['JSON.parse', 'decodeURI', 'decodeURIComponent', 'BigInt', 'createPublicKey', 'atob'])
    const files = calls.filter(({ callee }) => throwing.has(callee)).map(({ at }) => at.replace(/:.*/, ''))

    expect([...new Set(files)].sort()).toEqual([
      'server/agents/host-key.ts', // Caught: not a key.
      'server/agents/json-slices.ts', // Caught by parse-message.ts.
      'server/agents/parse-message.ts', // Caught: not a message of the protocol.
      'server/notify/post.ts', // Caught: the part of the address is masked as it is written.
      'server/repository/mirror.ts', // Caught: a wrong password.
      'server/store/migrations.ts', // Rows that the server wrote.
      'server/store/resource-events.ts',
      'server/store/rows.ts',
      'server/tls.ts', // The operator's own files, at the start.
      'server/web/body.ts', // Caught: 400.
    ])
  })

  test('an address that a client sent is never given to `new URL`', () => {
    const sources = sourcesOf('server').filter(({ text }) => /new URL\((?!['"])/.test(text))

    expect(sources.map(({ name }) => name).sort()).toEqual([
      'server/repository/remote.ts', // Settings.
      'server/settings.ts',
      'server/web/guards.ts', // Built and checked by the adapter of hono, whose handlers may throw.
      'server/web/install/install.ts', // A platform's name out of a fixed list.
      'server/web/pages/document.tsx',
      'server/web/pages/sign-in.ts',
      'server/web/pages/static-files.ts', // Its own files.
      'server/web/web.ts',
    ])
  })
})

type Call = {
  readonly callee: string
  readonly at: string
  /** What is called later, where the call adds a listener or a timer. */
  readonly handler: 'guarded' | 'resolve' | 'bare' | undefined
}

/** Where each takes its handler. */
const positions: Readonly<Record<string, number>> = {
  ...{ on: 1, once: 1, addListener: 1, prependListener: 1, prependOnceListener: 1, addEventListener: 1 },
  ...{ onAbort: 0, handleUpgrade: 3, setTimeout: 0, setInterval: 0, setImmediate: 0, nextTick: 0, queueMicrotask: 0 },
}

function sourcesOf(top: string): readonly { readonly name: string; readonly text: string }[] {
  const root = join(import.meta.dirname, '../..')
  const names = readdirSync(join(root, top), { recursive: true, encoding: 'utf8' }).map((name) => `${top}/${name}`)
  const sources = names.filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
  expect(sources.length).toBeGreaterThan(top === 'server' ? 100 : 3)
  return sources.map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }))
}

function callsOf(top: string): readonly Call[] {
  return sourcesOf(top).flatMap(({ name, text }) => {
    const guards = new Set<string>()
    const found: { readonly node: Node; readonly callee: string }[] = []
    const tree: unknown = parseSync(text, { syntax: 'typescript', tsx: name.endsWith('x'), target: 'es2024' })
    walk(tree, (node) => {
      if (node['type'] === 'VariableDeclarator' && isGuard(node['init'], guards)) guards.add(textOf(node['id']))
      if (node['type'] === 'CallExpression') found.push({ node, callee: textOf(node['callee']) })
    })
    for (const imported of text.matchAll(/import \{([^}]*)\} from '[a-z./]*\/guarded\.ts'/g))
      if (imported[1]?.includes('ignored')) guards.add('ignored')
    return found.map(({ node, callee }) => {
      const last = callee.split('.').at(-1) ?? ''
      // `socket.setTimeout(milliseconds, handler)`
      const position = last === 'setTimeout' && callee !== last ? 1 : positions[last]
      const given = argumentsOf(node)
      // hono's `routes.on(method, paths, handler)` answers requests, and may throw.
      const isRoute = last === 'on' && given.length > 2
      const argument = position === undefined || isRoute ? undefined : given[position]
      return { callee, at: `${name}: ${callee}`, handler: handlerOf(argument, guards) }
    })
  })
}

type Node = Readonly<Record<string, unknown>>

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const one of value) walk(one, visit)
  else if (isNode(value)) {
    visit(value)
    for (const child of Object.values(value)) walk(child, visit)
  }
}

function argumentsOf(call: Node): readonly unknown[] {
  const given = call['arguments']
  return Array.isArray(given) ? given.map((one: unknown) => (isNode(one) ? one['expression'] : undefined)) : []
}

/** `server.once`, `setTimeout`, `this.#socket.on`: the last two names are enough. */
function textOf(node: unknown): string {
  if (!isNode(node)) return ''
  if (node['type'] === 'Identifier') return String(node['value'])
  if (node['type'] !== 'MemberExpression') {
    // `stream?.on(...)`
    return node['type'] === 'OptionalChainingExpression' ? textOf(node['base']) : textOf(node['callee'])
  }
  return `${textOf(node['object']).split('.').at(-1)}.${textOf(node['property'])}`
}

function isGuard(node: unknown, guards: ReadonlySet<string>): boolean {
  if (!isNode(node)) return false
  if (node['type'] === 'CallExpression') return textOf(node['callee']) === 'guarded'
  return node['type'] === 'Identifier' && guards.has(String(node['value']))
}

/** Settling a promise cannot throw. */
function handlerOf(node: unknown, guards: ReadonlySet<string>): Call['handler'] {
  if (!isNode(node)) return undefined
  if (isGuard(node, guards)) return 'guarded'
  const settles = node['type'] === 'Identifier' ? node : isNode(node['body']) ? node['body']['callee'] : undefined
  return textOf(settles) === 'resolve' ? 'resolve' : 'bare'
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
