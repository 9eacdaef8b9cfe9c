// The dashboard read in a real browser: filters, diffs, themes, widths, keyboard.
import { describe, expect, test } from 'vitest'
import { largeFleet } from '../server/web/pages/fixtures.ts'
import { chromiumMissing } from './chromium.ts'
import { openDashboard, pagePaths, patience } from './open-dashboard.ts'

describe.skipIf(chromiumMissing !== undefined)('reading the dashboard', () => {
  const dashboard = openDashboard()

  test('no page makes the browser complain, but of an address that leads nowhere', async () => {
    await dashboard.signIn()
    let missing = 0
    for (const path of pagePaths) {
      const response = await dashboard.page.goto(path)
      if (response?.status() === 404) missing += 1
      await dashboard.page.getByRole('heading', { level: 1 }).first().waitFor()
    }
    const isMissing = (complaint: string) => complaint.includes('404 (Not Found)')
    expect(dashboard.complaints.filter((complaint) => !isMissing(complaint))).toEqual([])
    expect(dashboard.complaints.filter(isMissing)).toHaveLength(missing)
  })

  test('the grid filters as one types and keeps the focus and the address', async () => {
    await dashboard.page.goto('/')
    expect(await dashboard.hostNames()).toHaveLength(13)
    await dashboard.page.getByLabel('Filter hosts or services').pressSequentially('web-1')
    await dashboard.page.waitForURL('/?q=web-1')
    await expect.poll(dashboard.hostNames, patience).toEqual(['web-1', 'web-10'])
    await dashboard.page.keyboard.press('End')
    await dashboard.page.keyboard.type('0')
    await expect.poll(dashboard.hostNames, patience).toEqual(['web-10'])
    expect(await dashboard.page.getByLabel('Filter hosts or services').inputValue()).toBe('web-10')
    await dashboard.page.reload()
    expect(await dashboard.hostNames()).toEqual(['web-10'])
  })

  test('a state is one click away, by keyboard too', async () => {
    await dashboard.page.goto('/')
    const drift = dashboard.page
      .getByRole('navigation', { name: 'Filter by state' })
      .getByRole('link', { name: 'drift 1' })
    await drift.focus()
    await dashboard.page.keyboard.press('Enter')
    await dashboard.page.waitForURL('/?state=drift')
    expect(await dashboard.hostNames()).toEqual(['web-2'])
  })

  test('without scripts the grid still filters and the drift still shows', async () => {
    await dashboard.reopen({ javaScriptEnabled: false })
    await dashboard.page.goto('/')
    await dashboard.page.getByLabel('Filter hosts or services').fill('db')
    await dashboard.page.getByRole('button', { name: 'Filter' }).click()
    await dashboard.page.waitForURL('/?q=db')
    expect(await dashboard.hostNames()).toEqual(['db-2', 'db-1'])
    await dashboard.page.goto('/hosts/web-2')
    await dashboard.page.getByRole('link', { name: '/etc/nginx/nginx.conf' }).click()
    expect(await dashboard.page.locator('.diff .added').first().textContent()).toContain('error.log debug;')
  })

  test('times in the browser are told as the server tells them', async () => {
    await dashboard.page.goto('/hosts/web-2')
    const told = await dashboard.page.locator('time').allTextContents()
    await dashboard.reopen({ javaScriptEnabled: false })
    await dashboard.page.goto('/hosts/web-2')
    const written = await dashboard.page.locator('time').allTextContents()
    const coarse = (texts: readonly string[]) => texts.filter((text) => !/\d s ago|just now/.test(text))
    expect(coarse(told).length).toBeGreaterThan(8)
    expect(coarse(told)).toEqual(coarse(written))
  })

  test('the drift page shows the diff with signs, and long lines scroll inside of it', async () => {
    await dashboard.page.goto('/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf')
    const removed = await dashboard.page.locator('.diff tr.removed .t').allTextContents()
    const added = await dashboard.page.locator('.diff tr.added .t').allTextContents()
    expect(removed.slice(0, 2)).toEqual(['-error_log /var/log/nginx/error.log;', '-    worker_connections 2048;'])
    expect(added[1]).toBe('+    worker_connections 16384;')
    expect(await dashboard.page.locator('.diff').evaluate((diff) => diff.scrollWidth > diff.clientWidth)).toBe(true)
  })

  test.each([1280, 390])('no page scrolls sideways at %i px', async (width) => {
    await dashboard.page.setViewportSize({ width, height: 800 })
    await dashboard.signIn()
    const overflows: string[] = []
    const look = async (path: string) => {
      await dashboard.page.goto(path)
      const excess = await dashboard.page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      if (excess !== 0) overflows.push(`${path}: ${excess} px`)
    }
    for (const path of pagePaths) await look(path)
    dashboard.server.show(largeFleet(new Date(), 200, 30))
    await look('/')
    await look('/?cells=words')
    expect(overflows).toEqual([])
  })

  test('two hundred hosts keep their names and services in sight while the grid scrolls', async () => {
    dashboard.server.show(largeFleet(new Date(), 200, 30))
    await dashboard.page.goto('/?cells=words')
    await dashboard.page.locator('#grid').evaluate((grid) => grid.scrollTo(900, 2000))
    const grid = await dashboard.page.locator('#grid').boundingBox()
    const corner = await dashboard.page.locator('#grid .corner').boundingBox()
    expect(corner?.x).toBeCloseTo((grid?.x ?? 0) + 1, 0)
    expect(corner?.y).toBeCloseTo((grid?.y ?? 0) + 1, 0)
    await dashboard.page.evaluate('document.getElementById("host-node-150.dc3").kept = true')
    await dashboard.announce((fixture) => ({ ...largeFleet(new Date(), 200, 30), alerts: fixture.alerts.slice(0, 1) }))
    await expect.poll(() => dashboard.page.title(), patience).toMatch('(1)')
    expect(await dashboard.page.evaluate('document.getElementById("host-node-150.dc3").kept')).toBe(true)
    expect(await dashboard.page.locator('#grid').evaluate((box) => [box.scrollLeft, box.scrollTop])).toEqual([
      900, 2000,
    ])
  })

  test('dark follows the browser', async () => {
    const backgrounds: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await dashboard.page.emulateMedia({ colorScheme })
      await dashboard.page.goto('/')
      backgrounds.push(
        String(await dashboard.page.evaluate('getComputedStyle(document.documentElement).backgroundColor')),
      )
    }
    expect(backgrounds).toEqual(['rgb(245, 246, 247)', 'rgb(15, 18, 21)'])
  })

  test('every link, field and button can be reached by keyboard and shows that it is', async () => {
    await dashboard.page.goto('/hosts/web-2')
    const controls = 'a, button, input, select, summary, [tabindex="0"]'
    const count = Number(await dashboard.page.evaluate(`document.querySelectorAll('${controls}').length`))
    for (let step = 0; step < count; step += 1) {
      await dashboard.page.keyboard.press('Tab')
      const outline = await dashboard.page.evaluate(
        'document.activeElement.setAttribute("data-reached", ""), getComputedStyle(document.activeElement).outlineStyle',
      )
      const isControl = await dashboard.page.evaluate(`document.activeElement.matches('${controls}')`)
      if (isControl) expect(outline).toBe('solid')
    }
    const missed = await dashboard.page.evaluate(
      `[...document.querySelectorAll('${controls}')].filter((one) => one.checkVisibility() && one.dataset.reached === undefined).map((one) => one.outerHTML)`,
    )
    expect(count).toBeGreaterThan(15)
    expect(missed).toEqual([])
  })
})
