import { sign } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mirrorText } from '../../../shared/protocol.ts'
import { whyAnswerSchema } from '../../../shared/why.ts'
import {
  drifted,
  enrollAgent,
  reportOf,
  serviceOf,
  someRevision,
  startTestServer,
  type TestAgent,
  type TestServer,
} from '../kit.ts'

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'
const question = '/api/v1/why?path=/etc/nginx/nginx.conf'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

test('the commit behind a line, and behind all of them', async () => {
  await server.fleet.commit({ [nginxConf]: 'worker_processes 1;\nevents {}\n' }, { author: 'Grace', message: 'Events' })
  const before = await server.fleet.head()
  await server.fleet.commit({ [nginxConf]: 'worker_processes 2;\nevents {}\n' }, { author: 'Alan', message: 'Two' })
  await server.post('/api/v1/sync')

  const [line] = await why(`${question}&host=web-1&line=2`)
  expect(line?.line).toMatchObject({ kind: 'line', number: 2, text: 'events {}', commit: { author: 'Grace' } })
  expect(line?.why).toMatchObject({ author: 'Alan' })

  const [all] = await why(`${question}&lines=all`)
  expect(all?.blame).toMatchObject({
    runs: [
      { first: 1, lines: ['worker_processes 2;'] },
      { first: 2, lines: ['events {}'], revision: before },
    ],
  })
  const atRevision = `/api/v1/why?path=${nginxConf}&lines=all&revision=${before}`
  expect((await why(atRevision))[0]?.blame).toMatchObject({
    runs: [{ lines: ['worker_processes 1;'] }, { lines: ['events {}'] }],
  })
  const [older] = await why(`${question}&revision=${before}&line=1`)
  expect(older).toMatchObject({
    path: '/etc/nginx/nginx.conf',
    why: { author: 'Grace' },
    line: { commit: { author: 'Ada' } },
  })
  expect((await why(`${question}&line=3`))[0]?.line).toEqual({ kind: 'no-such-line', lines: 2 })
  const below = await why('/api/v1/why?path=services/nginx&line=1')
  expect(below.map((path) => path.line)).toEqual([undefined, undefined])
})

test.each(['line=0', 'line=1.5', 'line=x', 'lines=some', 'line=1&lines=all', 'revision=main', 'host=*'])(
  'a question about %s is refused',
  async (query) => {
    const answer = await server.get(`${question}&${query}`)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('&line=NUMBER or &lines=all')
  },
)

test('a revision that the clone does not have has no paths, and neither has one without the file', async () => {
  const before = await server.fleet.head()
  await server.fleet.commit({ 'services/nginx/files/etc/new': 'new' })
  await server.post('/api/v1/sync')
  expect((await server.get(`/api/v1/why?path=services/nginx/files/etc/new&revision=${before}`)).status).toBe(404)
  expect((await server.get(`${question}&revision=${'0'.repeat(40)}`)).status).toBe(404)
})

test('what happened to a path on a host: applied, drifted, held, and how it is now', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const hold = { by: 'anna@web-1', why: 'the disk is full', until: '2026-11-24T03:00:00.000Z' }
  await line.report(reportOf('web-1'))
  server.clock.advance(60)
  const [service] = drifted('web-1').services
  await line.report({ ...reportOf('web-1'), services: [{ ...serviceOf('nginx', service), hold }] })

  const [path] = await why(`${question}&host=web-1&line=1`)

  expect(path?.line).toMatchObject({ kind: 'line', commit: { author: 'Ada' } })
  expect(path?.onHost).toMatchObject({
    host: 'web-1',
    service: 'nginx',
    applied: someRevision,
    appliedAt: '2026-11-23T02:00:00.000Z',
    drift: [
      {
        resource: 'file:/etc/nginx/nginx.conf',
        summary: '/etc/nginx/nginx.conf: content differs',
        since: '2026-11-23T03:01:00.000Z',
      },
    ],
    hold,
    events: [
      { kind: 'held', by: 'anna@web-1', why: 'the disk is full' },
      { kind: 'drifted', summary: '/etc/nginx/nginx.conf: content differs' },
    ],
  })
  expect((await why(`${question}&host=web-2`))[0]?.onHost).toBeUndefined()
  expect((await why(question))[0]?.onHost).toBeUndefined()
})

test('a path whose service left the host is shown as removed, to readers with access', async () => {
  const web1 = await enrollAgent(server, 'web-1')
  const line = await web1.connect()
  await line.report(drifted('web-1'))
  await server.fleet.commit({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [] }\n  web-2: { services: [nginx] }\n',
  })
  await server.post('/api/v1/sync')
  server.clock.advance(60)
  await line.report({ ...reportOf('web-1'), services: [] })

  const [left] = await why(`${question}&host=web-1`)
  expect(left).toMatchObject({ source: nginxConf, onHost: { host: 'web-1', drift: [] } })
  expect(left?.onHost?.events[0]).toMatchObject({ kind: 'left', service: 'nginx' })
  expect(left?.onHost).not.toHaveProperty('applied')
  await server.restart({ viewers: 'signed-in' })
  expect((await why(`${question}&host=web-1`, asHost(web1)))[0]?.onHost?.events[0]).toMatchObject({ kind: 'left' })
  const web2 = await enrollAgent(server, 'web-2')
  const asked = await fetch(new URL(`${question}&host=web-1`, server.url), { headers: asHost(web2) })
  expect(asked.status).toBe(404)
})

test('a host gets its own history, and none of another host', async () => {
  await server.restart({ viewers: 'signed-in' })
  const [web1, web2] = [await enrollAgent(server, 'web-1'), await enrollAgent(server, 'web-2')]
  await (await web1.connect()).report(drifted('web-1'))
  await (await web2.connect()).report(drifted('web-2'))

  expect((await why(`${question}&host=web-1`, asHost(web1)))[0]?.onHost?.events).toHaveLength(1)
  const [ofOther] = await why(`${question}&host=web-1`, asHost(web2))
  expect(ofOther).toMatchObject({ source: nginxConf, why: { author: 'Ada' } })
  expect(ofOther).not.toHaveProperty('onHost')
  expect((await fetch(new URL(question, server.url))).status).toBe(401)
  expect((await fetch(new URL(question, server.url), { headers: asHost({ ...web1, host: 'web-2' }) })).status).toBe(401)
})

test('the page shows the file, its commits and what happened to it on the host', async () => {
  const message = 'Two workers\n\nThe box has two <cores>.'
  await server.fleet.commit({ [nginxConf]: 'worker_processes 2;\nevents {}\n' }, { author: 'Grace', message })
  await server.post('/api/v1/sync')
  await (await (await enrollAgent(server, 'web-1')).connect()).report(drifted('web-1'))

  const page = await (await server.get('/why?path=/etc/nginx/nginx.conf&host=web-1')).text()

  expect(page).toMatch(
    /<tr id="L1" class="first">.*Grace.*The box has two &lt;cores&gt;\..*worker_processes 2;<\/td><\/tr><tr id="L2">/s,
  )
  expect(page).toMatch(/<li class="is-drifted">.*drifted: \/etc\/nginx\/nginx\.conf: content differs/s)
  expect((await server.get('/why?path=/etc/nginx/nginx.conf&host=db-1')).status).toBe(404)
})

async function why(address: string, headers?: Record<string, string>) {
  const url = new URL(address, server.url)
  const answer = headers === undefined ? await server.get(address) : await fetch(url, { headers })
  expect(answer.status).toBe(200)
  return whyAnswerSchema.parse(await answer.json())
}

function asHost({ host, privateKey }: TestAgent): Record<string, string> {
  const at = Math.floor(server.clock.now().getTime() / 1000)
  const signature = sign(null, Buffer.from(mirrorText(host, at)), privateKey).toString('base64url')
  return { authorization: `Basic ${Buffer.from(`${host}:${at}.${signature}`).toString('base64')}` }
}
