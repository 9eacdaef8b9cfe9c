// No page grows without bound: each is asked for on a fleet in which everything there can be much of is much.
import { describe, expect, test } from 'vitest'
import type { AlertView, ServiceView } from '../../../../server/show/views.ts'
import { dashboard, now, session, textOf } from './dashboard.ts'
import { type FixtureFleet, largeFleet } from './fixtures.ts'

const megabyte = 1024 * 1024
const nginx = '/services/nginx'
const diff = `--- a\n+++ b\n@@ -1,400 +1,400 @@\n${'-old line\n+new line\n'.repeat(400)}`

/** 1,000 hosts, each with an alert that has a long diff; a service on all of them with 5,000 paths; 200 holds on all of them. */
function everythingLarge(): FixtureFleet {
  const large = largeFleet(now, 1000, 60)
  const [service] = large.services.filter(({ service: name }) => name === 'nginx')
  const [alert, path, hold] = [large.alerts[0], large.paths[1], large.fleet.holds[1]]
  if (!service || !alert || !path || !hold) throw new Error('the example fleet lost what this test multiplies')
  const many = <T>(count: number, make: (index: number) => T) =>
    Array.from({ length: count }, (_, index) => make(index))
  const alerts = many(1000, (id): AlertView => ({ ...alert, id, title: `alert ${id}`, diff }))
  const hosts = large.fleet.hosts.map(({ host }, index): ServiceView['hosts'][number] => ({
    ...service.hosts[0],
    host,
    state: index === 999 ? 'failed' : 'in-sync',
    facts: index === 999 ? ['failed'] : [],
  }))
  const paths = many(5000, (index) => ({
    ...path,
    path: `/etc/many/${index}`,
    source: `services/nginx/files/etc/many/${index}`,
  }))
  const asked = large.fleet.hosts.map(({ host }) => ({ host, state: 'asked' as const }))
  const holds = many(200, (index) => ({ ...hold, id: `hold-${index}`, hosts: asked }))
  return {
    ...large,
    fleet: { ...large.fleet, openAlerts: alerts.map(({ diff: _, ...rest }) => rest), holds },
    services: [{ ...service, hosts, paths }],
    alerts,
    paths,
  }
}

describe('on a large fleet', () => {
  const pages = dashboard({}, everythingLarge())

  test.each([
    '/',
    '/?cells=words',
    '/hosts/node-3.dc3',
    nginx,
    '/alerts',
    '/why?path=/etc/many',
    '/why?path=/etc/many/7',
    '/enroll',
  ])('%s stays below a megabyte', async (path) => {
    const html = await pages.html(path, session)
    expect(html).toContain('<h1')
    expect(html.length).toBeLessThan(megabyte)
  })

  test('the page of a service shows its most urgent hosts first, and all hosts and paths on request', async () => {
    const html = await pages.html(nginx)
    expect(textOf(html)).toContain('200 of 1,000 hosts are shown. Show all 1,000')
    expect(textOf(html)).toContain('500 of 5,000 paths are shown. Show all 5,000')
    expect(/<ul class="host-list"><li><a href="\/hosts\/([^#]+)/.exec(html)?.[1]).toBe('node-1000.dc1')
    const all = await pages.html(`${nginx}?show=all`)
    expect(all.match(/class="host-list".*?<\/ul>/s)?.[0].match(/<li>/g)).toHaveLength(1000)
    expect(textOf(all)).not.toContain('are shown.')
  })

  test.each([0, 299, 300, 999])('the link to alert %i leads to a page that has it', async (id) => {
    const alert = everythingLarge().alerts[id]
    const large = everythingLarge()
    const host = { ...large.hosts[0], alerts: [alert] }
    const linking = dashboard({}, { ...large, hosts: [host] } as FixtureFleet)
    const link = /href="(\/alerts[^"#]*)#(alert-\d+)"/.exec(await linking.html(`/hosts/${host.host}`))
    expect(link?.[2]).toBe(`alert-${id}`)

    const html = await pages.html((link?.[1] ?? '').replaceAll('&amp;', '&'))

    expect(html).toContain(`id="alert-${id}"`)
    expect(html.length).toBeLessThan(megabyte)
  })

  test.each(['7000', '1e9', '-1', 'x', ''])('an alert %j that is not there leaves the page as it is', async (id) => {
    const html = await pages.html(`/alerts?alert=${id}`)
    expect(html.match(/class="alert-card/g)).toHaveLength(300)
    expect(html.includes('Alert 7000 is neither open')).toBe(id === '7000')
  })

  test('the page of alerts leaves out diffs before alerts, and says so', async () => {
    const html = await pages.html('/alerts')
    expect(html.match(/class="alert-card/g)).toHaveLength(300)
    expect(textOf(html)).toContain('300 of 1,000 open alerts are shown. Show all 1,000')
    expect(html.match(/<section class="diff"/g)?.length).toBeGreaterThan(4)
    expect(textOf(html)).toContain('Its diff is not shown beside so many others')
    expect((await pages.html('/alerts?show=all')).match(/class="alert-card/g)).toHaveLength(1000)
  })

  test('the paths below a directory are shown in part, and all on request', async () => {
    expect(textOf(await pages.html('/why?path=/etc/many'))).toContain('500 of 5,000 paths are shown.')
    expect((await pages.html('/why?path=/etc/many&show=all')).match(/<li>/g)).toHaveLength(5000)
  })

  test('holds beyond three are folded', async () => {
    expect(textOf(await pages.html('/'))).toContain('197 more')
  })
})
