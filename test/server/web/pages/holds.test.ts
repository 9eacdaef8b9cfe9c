// What the pages say of holds, and the operator's forms.
import { describe, expect, test } from 'vitest'
import { dashboard, now, session, textOf } from './dashboard.ts'
import { exampleFleet } from './fixtures.ts'

const fleetHold = '5b1f9a4e-0d53-4a1f-9d0b-6a5e0c8d7f10'

describe('everyone sees', () => {
  test('on the fleet page, what is held by whom, why, until when and where', async () => {
    const text = textOf(await dashboard().html('/'))
    expect(text).toContain(
      'grafana by ines@mon-1, ends in 1 h 35 min 2026-11-23 04:47:00 UTC : Dashboards are being moved by hand; OPS-231 on mon-1',
    )
    expect(text).toContain('nothing is to be reloaded on 2 of 5 hosts named edge-*; not yet on edge-1 , edge-5')
    expect(text).toContain('released on edge-4 by ada@edge-4')
  })

  test('on the page of a host, a hold that it has not taken yet', async () => {
    const text = textOf(await dashboard().html('/hosts/edge-1'))
    expect(text).toContain('Hold asked for by bjorn@desk-4, ends in 4 h')
    expect(text).toContain('the host has not said yet that it keeps it')
  })

  test('on the page of a service, which hosts hold it and why', async () => {
    const text = textOf(await dashboard().html('/services/grafana'))
    expect(text).toContain('by ines@mon-1, ends in 1 h 35 min : Dashboards are being moved by hand; OPS-231')
  })

  test('no panel where nothing is held', async () => {
    const example = exampleFleet(now)
    const pages = dashboard({}, { ...example, fleet: { ...example.fleet, holds: [] } })
    expect(await pages.html('/')).not.toContain('id="holds"')
  })
})

describe('the operator', () => {
  test('is offered to hold what nobody holds, and to release what the server holds', async () => {
    const pages = dashboard()
    const html = await pages.html('/hosts/web-2', session)
    expect(html).toContain('<form method="post" action="/hosts/web-2/hold"')
    expect(await pages.html('/hosts/mon-1', session)).not.toContain('id="hold-grafana"')
    expect(await pages.html('/hosts/edge-6', session)).not.toContain('/hold"')
    expect(await pages.html('/hosts/edge-1', session)).toContain('action="/hosts/edge-1/release"')
    expect(await pages.html('/', session)).toContain(`name="id" value="${fleetHold}"`)
  })

  test('holds one service of one host, with the reason, and is told', async () => {
    const pages = dashboard()
    const response = await pages.post(
      '/hosts/web-2/hold',
      { service: 'nginx', for: '2h', why: ' moving the site ' },
      session,
    )
    expect(response.headers.get('location')).toBe('/hosts/web-2#service-nginx')
    expect(pages.asked).toEqual(['hold nginx on web-2 for 7200 s as the operator, on the dashboard: moving the site'])
    expect(notice(response)).toContain('web-2 was asked to hold nginx until 2026-11-23 05:12:00 UTC.')
  })

  test('is told when the host is away, when there is no such host, and when there are too many', async () => {
    const asking = async (otherwise: Parameters<typeof dashboard>[0]) =>
      notice(await dashboard(otherwise).post('/hosts/web-2/hold', { service: 'nginx', for: '2h', why: 'x' }, session))
    const hold = { services: [], by: 'x', why: 'x', until: '2026-11-23T05:12:00.000Z', hosts: [] }
    expect(await asking({ place: async () => ({ kind: 'placed', hold, connected: 0 }) })).toContain(
      'web-2 is not connected, and is notified when it reconnects',
    )
    const nobody = { kind: 'no-host', message: 'No enrolled host is named web-2.', remedy: '' } as const
    expect(await asking({ place: async () => nobody })).toContain('Nothing was held: No enrolled host')
    expect(await asking({ place: async () => ({ kind: 'too-many' }) })).toContain('too many holds')
  })

  test.each([
    ['no reason', { why: ' ' }],
    ['an absurd length', { for: '15d' }],
    ['a service that is none', { service: '../x' }],
  ])('holds nothing with %s', async (_what, change) => {
    const pages = dashboard()
    const response = await pages.post(
      '/hosts/web-2/hold',
      { service: 'nginx', for: '2h', why: 'x', ...change },
      session,
    )
    expect(response.status).toBe(303)
    expect(notice(response)).toContain('Nothing was held')
    expect(pages.asked).toEqual([])
  })

  test('holds no host by a pattern in the address', async () => {
    const pages = dashboard()
    await pages.post('/hosts/web-*/hold', { service: 'nginx', for: '2h', why: 'x' }, session)
    expect(pages.asked).toEqual([])
  })

  test('releases on one host, or everywhere', async () => {
    const pages = dashboard()
    const here = await pages.post('/hosts/edge-1/release', { id: fleetHold }, session)
    const everywhere = await pages.post('/holds/release', { id: fleetHold }, session)
    expect([here, everywhere].map((response) => response.headers.get('location'))).toEqual(['/hosts/edge-1', '/'])
    expect(pages.asked).toEqual([`release ${fleetHold} on edge-1`, `release ${fleetHold} on all`])
    const late = await dashboard({ release: async () => false }).post('/holds/release', { id: 'x' }, session)
    expect(notice(late)).toContain('That hold was over already.')
  })
})

function notice(response: Response): string {
  return decodeURIComponent(response.headers.get('set-cookie') ?? '')
}
