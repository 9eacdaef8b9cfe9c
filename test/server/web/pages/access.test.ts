// Who may see and do what, and what keeps other sites and planted text from acting in a reader's browser.
import { describe, expect, test } from 'vitest'
import { liveScript, styleSheet } from '../../../../server/web/pages/static-files.ts'
import { dashboard, now, origin, readablePaths, session, token } from './dashboard.ts'
import { exampleFleet, type FixtureFleet } from './fixtures.ts'

describe('reading', () => {
  test('leads to signing in where reading is not open, and back afterwards', async () => {
    const pages = dashboard({ mayRead: false })
    const response = await pages.get('/hosts/web-2?x=1')
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe('/login?required=1&next=%2Fhosts%2Fweb-2%3Fx%3D1')
    const signedIn = await pages.post('/login', { token, next: '/hosts/web-2?x=1' })
    expect(signedIn.status).toBe(303)
    expect(signedIn.headers.get('location')).toBe('/hosts/web-2?x=1')
    expect((await pages.get('/hosts/web-2', session)).status).toBe(200)
  })

  test('no page that needs reading says anything without it', async () => {
    const pages = dashboard({ mayRead: false })
    for (const path of readablePaths) {
      if (path === '/login') continue
      const response = await pages.get(path)
      expect(response.status, path).toBe(302)
      expect(await response.text(), path).not.toContain('web-2')
    }
  })

  test('the sign-in page does not tell a stranger how many alerts are open', async () => {
    const html = await dashboard({ mayRead: false }).html('/login')
    expect(html).not.toContain('class="count"')
    expect(html).toContain('<title>Sign in · Plumbline</title>')
  })
})

describe('signing in', () => {
  test('a wrong token is refused', async () => {
    const response = await dashboard().post('/login', { token: 'wrong' })
    expect(response.status).toBe(401)
    expect(response.headers.get('set-cookie')).toBeNull()
    expect(await response.text()).toContain('That is not the operator token.')
  })

  test('after a wrong token, the right one still leads to the page that was asked for', async () => {
    const html = await (await dashboard().post('/login', { token: 'wrong', next: '/hosts/web-2?x=1' })).text()
    expect(html).toContain('name="next" value="/hosts/web-2?x=1"')
    expect(await dashboard().html('/hosts/web-2?x=1')).toContain('href="/login?next=%2Fhosts%2Fweb-2%3Fx%3D1"')
  })

  const publicUrl = 'https://fleet.example.org'
  test.each([
    ['an address of http', { host: '10.0.0.5:7667', origin: 'http://10.0.0.5:7667' }],
    ['the public name, by http', { host: 'fleet.example.org', origin: 'http://fleet.example.org' }],
  ])('at %s, where the session would not be kept, says where to sign in, and tries no token', async (_what, post) => {
    const pages = dashboard({ publicUrl })
    const response = await pages.post('/login', { token, next: '/alerts' }, post)
    expect(response.status).toBe(400)
    expect(response.headers.get('set-cookie')).toBeNull()
    const html = await response.text()
    expect(html).toContain(
      '<a href="https://fleet.example.org/login?next=%2Falerts">https://fleet.example.org/login</a>',
    )
    expect(html).not.toContain('not the operator token')
  })

  test.each([
    ['by the address of the socket', { host: '10.0.0.5:7667' }, true],
    [
      'by the address of the socket, behind a proxy that has https',
      { host: '10.0.0.5:7667', 'sec-fetch-mode': 'navigate' },
      false,
    ],
    ['by its public name', { host: 'fleet.example.org' }, false],
    ['on its own machine', { host: '127.0.0.1:7667' }, false],
  ])('asked for %s, the page says beforehand where to sign in: %o', async (_how, headers, says) => {
    const html = await dashboard({ publicUrl }).html('/login', headers)
    expect(html.includes('https://fleet.example.org/login')).toBe(says)
  })

  test.each([
    ['https, behind a proxy', publicUrl, 'https://fleet.example.org'],
    ['http that is the public address', 'http://fleet.example.org', 'http://fleet.example.org'],
    ['http on its own machine, for which browsers keep it', publicUrl, 'http://127.0.0.1:7667'],
  ])('at %s, the right token begins a session', async (_what, address, from) => {
    const headers = { origin: from, host: new URL(from).host }
    expect((await dashboard({ publicUrl: address }).post('/login', { token }, headers)).status).toBe(303)
  })

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/a\\b',
    '/\t/evil.example',
  ])('never leads to %j', async (next) => {
    const response = await dashboard().post('/login', { token, next })
    expect(response.headers.get('location')).toBe('/')
  })
})

describe('changing something', () => {
  const changes = [
    ['/sync', {}],
    ['/hosts/web-2/sync', {}],
    ['/enroll', { host: 'edge-6' }],
    ['/logout', {}],
    ['/hosts/web-2/hold', { service: 'nginx', for: '2h', why: 'a fix' }],
    ['/hosts/web-2/release', { id: 'one' }],
    ['/holds/release', { id: 'one' }],
    ['/login', { token }],
  ] as const

  test.each(changes)('POST %s from another site is refused and does nothing', async (path, fields) => {
    const pages = dashboard()
    for (const foreign of ['http://evil.example', 'null', `${origin}.evil.example`, `${origin}:81`, '']) {
      const response = await pages.post(path, fields, { ...session, origin: foreign })
      expect(response.status, foreign).toBe(403)
      expect(response.headers.get('set-cookie')).toBeNull()
      expect(await response.text()).toContain('did not come from a page of this server')
    }
    expect(pages.asked).toEqual([])
  })

  test.each(changes)('POST %s with a body that is not a form is refused', async (path, fields) => {
    const pages = dashboard()
    const response = await pages.post(path, fields, { ...session, 'content-type': 'application/json' })
    expect(response.status).toBe(415)
    expect(pages.asked).toEqual([])
  })

  test.each(['/sync', '/hosts/web-2/sync', '/enroll', '/hosts/web-2/hold', '/hosts/web-2/release', '/holds/release'])(
    'POST %s without an operator’s session does nothing',
    async (path) => {
      const pages = dashboard()
      const fields = { host: 'edge-6', service: 'nginx', for: '2h', why: 'a fix', id: 'one' }
      const response = await pages.post(path, fields)
      expect(response.status).toBe(303)
      expect(response.headers.get('location')).toBe('/login?required=1&undone=1&next=%2F')
      expect(pages.asked).toEqual([])
      const from = await pages.post(path, fields, { referer: `${origin}/hosts/web-2?x=1` })
      const login = from.headers.get('location') ?? ''
      expect(login).toBe('/login?required=1&undone=1&next=%2Fhosts%2Fweb-2%3Fx%3D1')
      const html = await pages.html(login)
      expect(html).toContain('nothing was changed: sign in and do it again')
      expect(html).toContain('name="next" value="/hosts/web-2?x=1"')
    },
  )

  test.each(['/sync', '/logout', '/hosts/web-2/hold', '/holds/release'])('GET %s changes nothing', async (path) => {
    const pages = dashboard()
    expect((await pages.get(path, session)).status).toBe(404)
    expect(pages.asked).toEqual([])
  })

  test('behind a proxy, the public address is the own site too', async () => {
    const own = { ...session, origin: 'https://fleet.example.org' }
    expect((await dashboard().post('/sync', {}, own)).status).toBe(403)
    expect((await dashboard({ publicUrl: 'https://fleet.example.org/' }).post('/sync', {}, own)).status).toBe(303)
  })

  test('a sync says on the next page how many agents were asked, once', async () => {
    const pages = dashboard()
    const response = await pages.post('/sync', {}, session)
    const notice = (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    const next = await pages.get('/', { cookie: `${session.cookie}; ${notice}` })
    expect(await next.text()).toContain('Asked 11 agents to sync.')
    expect(next.headers.get('set-cookie')).toContain('plumb-notice=; Max-Age=0')
  })

  test.each([
    ['web-2', 'Asked web-2 to sync.'],
    ['edge-2', 'edge-2 was asked to sync a moment ago.'],
    ['edge-3', 'edge-3 is not connected'],
  ])('the sync of the page of %s is for that host alone', async (host, text) => {
    const pages = dashboard()
    expect(await pages.html(`/hosts/${host}`, session)).toContain(`<form method="post" action="/hosts/${host}/sync">`)

    const response = await pages.post(`/hosts/${host}/sync`, {}, session)

    expect(response.headers.get('location')).toBe(`/hosts/${host}`)
    expect(decodeURIComponent(response.headers.get('set-cookie') ?? '')).toContain(text)
    expect(pages.asked).toEqual([`sync ${host}`])
  })

  test('a sync of a host that is none asks nobody', async () => {
    const pages = dashboard()
    expect((await pages.post('/hosts/nowhere/sync', {}, session)).status).toBe(404)
    expect(pages.asked).toEqual([])
  })

  test('a reader is offered no button that changes anything', async () => {
    const pages = dashboard()
    for (const path of readablePaths) {
      if (path === '/login') continue
      expect(await pages.html(path), path).not.toContain('method="post"')
    }
  })
})

describe('scripts and styles', () => {
  test('every page carries the policy, and no inline script, style or handler', async () => {
    const pages = dashboard()
    for (const path of [...readablePaths, '/nowhere', '/enroll']) {
      const response = await pages.get(path, session)
      const policy = response.headers.get('content-security-policy')
      expect(policy, path).toContain("default-src 'self'")
      expect(policy, path).not.toContain('unsafe')
      expect(policy, path).toContain("frame-ancestors 'none'")
      expect(response.headers.get('x-content-type-options'), path).toBe('nosniff')
      const html = await response.text()
      expect(html, path).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/)
      expect(html, path).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/)
    }
  })

  test('the two static files are kept by browsers, under addresses made from their content', async () => {
    const pages = dashboard()
    for (const file of [styleSheet, liveScript]) {
      expect(file.address).toMatch(/^\/static\/(style|live)\.[0-9a-f]{10}\.(css|js)$/)
      const response = await pages.get(file.address)
      expect(response.headers.get('cache-control')).toContain('immutable')
      expect(response.headers.get('content-type')).toBe(file.contentType)
      expect(await response.text()).toBe(file.body)
    }
    expect((await pages.get('/static/style.0000000000.css')).status).toBe(404)
  })
})

test('a script planted in every text is shown, never run', async () => {
  const planted = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
  const pages = dashboard({}, plant(exampleFleet(now), planted))
  let shown = 0
  for (const path of readablePaths) {
    const html = await pages.html(path)
    expect(html, path).not.toContain('<script>alert')
    expect(html, path).not.toContain('<img src=x')
    shown += html.split('&lt;script&gt;alert(1)').length - 1
  }
  expect(shown).toBeGreaterThan(100)
  const echoed = await pages.html(`/nowhere/${encodeURIComponent(planted)}?q=${encodeURIComponent(planted)}`)
  expect(echoed).not.toContain('<script>alert')
  expect(await pages.html(`/?q=${encodeURIComponent(planted)}`)).not.toContain('<script>alert')
  expect(await pages.html(`/login?next=/${encodeURIComponent(planted)}`)).not.toContain('<script>alert')
  expect(await pages.html(`/hosts/web-2/drift?resource=${encodeURIComponent(planted)}`)).not.toContain('<script>alert')
})

/** Names by which pages find things, words of closed lists, and the README that its maker has sanitised. */
const leftAlone = new Set(['host', 'service', 'state', 'severity', 'code', 'readmeHtml'])

function plant(fixture: FixtureFleet, text: string): FixtureFleet {
  const planted: FixtureFleet = JSON.parse(JSON.stringify(fixture), (key, value) =>
    typeof value === 'string' && !leftAlone.has(key) && !/^\d+$/.test(key) ? `${value}${text}` : value,
  )
  const drifts = planted.drifts.map((drift, index) => {
    const resource = fixture.drifts[index]?.finding.resource ?? drift.finding.resource
    return { ...drift, finding: { ...drift.finding, resource } }
  })
  return { ...planted, drifts }
}
