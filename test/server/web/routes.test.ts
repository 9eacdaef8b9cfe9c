// Who may do what: every registered route, asked with every kind of credential on a real server, against the table that is checked in.
// After a change that is meant: vitest run test/server/web/routes.test.ts -u, and read the difference.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { ServerSettings } from '../../../server/settings.ts'
import { agentSocketPath } from '../../../shared/protocol.ts'
import { enrollAgent, makeToken, startTestServer, type TestServer } from '../kit.ts'
import { ask, signedBy, signIn } from './asking.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
  await mkdir(join(server.data, 'artifacts'))
  await writeFile(join(server.data, 'artifacts/plumb-linux-x64.gz'), 'an agent')
})

afterEach(() => server.remove())

/** What stands for the parameters of a route. What changes something names nothing that there is: who may is told 404, or 400. */
const parameters: Readonly<Record<string, string>> = {
  'GET :host': 'web-1',
  'GET :service': 'nginx',
  'GET :file': 'linux-x64.gz',
  'GET :line': 'none',
  'POST :host': 'none',
  'DELETE :host': 'none',
  'DELETE :id': 'none',
}
const queries: Readonly<Record<string, string>> = {
  'GET /git/fleet.git/info/refs': '?service=git-upload-pack',
  'GET /api/v1/why': '?path=/etc/nginx/nginx.conf',
  'GET /why': '?path=/etc/nginx/nginx.conf',
  'GET /hosts/:host/drift': '?resource=file:/etc/nginx/nginx.conf',
}

test.each(['this-machine', 'signed-in'] as const)(
  'every route answers each kind of credential as the table says: %s',
  async (viewers) => {
    if (viewers === 'signed-in') await server.restart({ viewers })
    const credentials = await everyCredential(viewers === 'signed-in' ? { viewers } : {})
    const rows: string[] = []
    // What ends a session comes last.
    const routes = server.registered
      .filter((route) => route.startsWith('ALL ') === false && !route.includes('/static/'))
      .toSorted(
        (one, other) => Number(one === 'POST /logout') - Number(other === 'POST /logout') || (one < other ? -1 : 1),
      )
    expect(routes.length).toBeGreaterThan(40)
    for (const route of routes) {
      const cells = []
      for (const headers of credentials.values()) cells.push(await answerTo(route, headers()))
      rows.push(`| \`${route}\` | ${cells.join(' | ')} |`)
    }
    const upgrades = []
    for (const headers of credentials.values()) upgrades.push(await upgradeWith(headers()))
    rows.push(`| \`UPGRADE ${agentSocketPath}\` | ${upgrades.join(' | ')} |`)

    const heading = ['route', ...credentials.keys()]
    const table = [`| ${heading.join(' | ')} |`, `|${heading.map(() => '---').join('|')}|`, ...rows, '']
    await expect(table.join('\n')).toMatchFileSnapshot(`./routes.${viewers}.golden.md`)
  },
)

type Headers = Readonly<Record<string, string>>

/** In the order of the table's columns; made anew for each request, as signatures are. */
async function everyCredential(settings: Partial<ServerSettings>): Promise<ReadonlyMap<string, () => Headers>> {
  const ofReplacedToken = await signIn(server)
  await server.stop()
  await rm(join(server.data, 'operator-token'))
  await server.restart(settings)
  const expired = await signIn(server)
  server.clock.advance(8 * 24 * 3600)
  const session = await signIn(server)
  const operator = { authorization: `Bearer ${server.operatorToken}` }
  const host = await enrollAgent(server, 'web-1')
  const enrollment = await makeToken(server)
  const { origin } = new URL(server.url)
  const forwarded = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }
  return new Map<string, () => Headers>([
    ['none', () => ({})],
    ['wrong token', () => ({ authorization: 'Bearer operator_guessed' })],
    ['enrollment token', () => ({ authorization: `Bearer ${enrollment}` })],
    ['sync token', () => ({ authorization: `Bearer ${server.syncToken}` })],
    ['key of a host', () => ({ authorization: signedBy(host, server) })],
    ['operator token', () => operator],
    ['session', () => ({ cookie: session, origin })],
    ['session, foreign origin', () => ({ cookie: session, origin: 'https://evil.example' })],
    ['expired session', () => ({ cookie: expired, origin })],
    ['session of a replaced token', () => ({ cookie: ofReplacedToken, origin })],
    ['forwarded', () => forwarded],
    ['forwarded, operator token', () => ({ ...forwarded, ...operator })],
    ['foreign name', () => ({ ...operator, host: 'plumb.evil.example' })],
  ])
}

/** The status; with a redirect, where to. */
async function answerTo(route: string, headers: Headers): Promise<string> {
  const [method = '', path = ''] = route.split(' ')
  const address = path.replace(/:[a-z]+/g, (name) => parameters[`${method} ${name}`] ?? missing(`${method} ${name}`))
  const form = method === 'POST' && !/^\/(?:api|git)\//.test(path)
  const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  const asked = { method, path: `${address}${queries[route] ?? ''}` }
  const answered = await ask(server, { ...asked, headers: { ...type, ...headers } })
  const location = answered.location?.replace(/\?.*$/, '').replace(/^\/enroll\/.+$/, '/enroll/...')
  return `${answered.status}${location === undefined ? '' : ` ${location}`}`
}

async function upgradeWith(headers: Headers): Promise<string> {
  const socket = new WebSocket(new URL(agentSocketPath, server.url.replace(/^http/, 'ws')), { headers })
  const outcome = await new Promise<string>((resolve) => {
    socket.once('open', () => resolve('101'))
    socket.once('unexpected-response', (_request, response) => resolve(String(response.statusCode)))
    socket.once('error', (error) => resolve(error.message))
  })
  socket.on('error', () => undefined)
  socket.terminate()
  return outcome
}

function missing(parameter: string): never {
  throw new Error(`a new parameter of a route: say above what stands for "${parameter}"`)
}
