// Live updates in a real browser: what an event brings, and what it leaves alone.
import { describe, expect, test } from 'vitest'
import { chromiumMissing } from './chromium.ts'
import { isOnFirstScreen as isInSight } from './geometry.ts'
import { openDashboard, patience } from './open-dashboard.ts'

describe.skipIf(chromiumMissing !== undefined)('a page that is open', () => {
  const dashboard = openDashboard()

  test('an event brings what changed without a reload, and keeps scroll, focus and what is unfolded', async () => {
    await dashboard.page.setViewportSize({ width: 1280, height: 420 })
    await dashboard.page.goto('/alerts')
    await dashboard.markWindow()
    await dashboard.page.locator('#alert-33-diff summary').click()
    await dashboard.page.locator('#alert-33-diff summary').focus()
    await dashboard.page.evaluate('scrollTo(0, 200)')
    await dashboard.announce((fixture) => ({
      ...fixture,
      alerts: fixture.alerts.map((alert) =>
        alert.id === 38 ? { ...alert, title: 'edge-5 was heard of again' } : alert,
      ),
    }))
    await dashboard.page.getByText('edge-5 was heard of again').waitFor()
    await dashboard.expectNoReload()
    expect(await dashboard.page.evaluate('scrollY')).toBe(200)
    expect(await dashboard.page.evaluate('document.getElementById("alert-33-diff").open')).toBe(true)
    expect(await dashboard.page.evaluate('document.activeElement.closest("details").id')).toBe('alert-33-diff')
    expect(dashboard.complaints).toEqual([])
  })

  test('an event does not take away what is being typed', async () => {
    await dashboard.page.goto('/')
    const box = dashboard.page.getByLabel('Filter hosts or services')
    await box.fill('edge')
    await dashboard.page.waitForURL('/?q=edge')
    await dashboard.announce((fixture) => ({
      ...fixture,
      fleet: { ...fixture.fleet, repository: { ...fixture.fleet.repository, branch: 'production' } },
    }))
    await dashboard.page.getByText('production', { exact: true }).waitFor()
    expect(await box.inputValue()).toBe('edge')
    expect(await dashboard.page.evaluate('document.activeElement.id')).toBe('q')
    await dashboard.page.keyboard.type('-4')
    await dashboard.page.waitForURL('/?q=edge-4')
  })

  test('an event leaves a marked text alone until it is no longer marked', async () => {
    await dashboard.page.goto('/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf')
    await dashboard.page.evaluate('getSelection().selectAllChildren(document.querySelector(".diff .added .t"))')
    const asked = dashboard.page.waitForEvent('request', {
      predicate: (request) => request.url().includes('/drift?resource='),
      timeout: 1500,
    })
    await dashboard.announce((fixture) => ({
      ...fixture,
      drifts: fixture.drifts.map((drift) => ({ ...drift, finding: { ...drift.finding, summary: 'something newer' } })),
    }))
    await expect(asked).rejects.toThrow('Timeout')
    expect(await dashboard.page.evaluate('String(getSelection())')).toContain('error.log debug;')
    await dashboard.page.evaluate('getSelection().removeAllRanges()')
    await dashboard.page.waitForRequest((request) => request.url().includes('/drift?resource='))
    await dashboard.page.getByText('something newer').waitFor()
  })

  test('the number of open alerts in the title follows', async () => {
    await dashboard.page.goto('/hosts/web-1')
    expect(await dashboard.page.title()).toBe('(3) web-1 · Plumbline')
    await dashboard.announce((fixture) => ({ ...fixture, alerts: fixture.alerts.slice(0, 1) }))
    await expect.poll(() => dashboard.page.title(), patience).toMatch('(1) web-1')
    expect(await dashboard.page.getByRole('link', { name: 'Alerts' }).textContent()).toBe('Alerts1 open')
  })

  test('a drift that was put back says so by itself', async () => {
    await dashboard.page.goto('/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf')
    await dashboard.announce((fixture) => ({ ...fixture, drifts: [] }))
    await dashboard.page.getByText('web-2 reports no drift of /etc/nginx/nginx.conf').waitFor()
  })

  test('a page says that it is not live when the server goes, and is live again when it is back', async () => {
    await dashboard.page.goto('/')
    await dashboard.page.getByText('live', { exact: true }).waitFor()
    await dashboard.server.close()
    await dashboard.page.getByText(/^Not live since just now \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)\./).waitFor()
    expect(await dashboard.page.getByText('not live', { exact: true }).isVisible()).toBe(true)
    await dashboard.page.evaluate('scrollTo(0, document.body.scrollHeight)')
    expect(await isInSight(dashboard.page, '#not-live')).toBe(true)
    await dashboard.restartServer()
    await dashboard.page.getByText('live', { exact: true }).waitFor({ timeout: 120_000 })
    expect(await dashboard.page.locator('#not-live').isVisible()).toBe(false)
  })

  test('a sync says how many agents were asked, and an event does not wipe it away', async () => {
    await dashboard.signIn()
    await dashboard.page.getByRole('button', { name: 'Sync' }).click()
    await dashboard.page.getByText('Asked 11 agents to sync.').waitFor()
    expect(dashboard.server.synced()).toBe(1)
    await dashboard.announce((fixture) => ({ ...fixture, alerts: fixture.alerts.slice(0, 1) }))
    await expect.poll(() => dashboard.page.title(), patience).toMatch('(1)')
    expect(await dashboard.page.getByText('Asked 11 agents to sync.').isVisible()).toBe(true)
  })
})
