// The fleet page at many sizes, measured in a real browser. Its pictures are in build/pictures, to look at.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { largeFleet } from '../server/web/pages/fixtures.ts'
import { chromiumMissing } from './chromium.ts'
import { isOnFirstScreen, misfitsOf, noMisfits } from './geometry.ts'
import { openDashboard, pagePaths } from './open-dashboard.ts'

const pictures = 'build/pictures'
/** Chromium draws no more of a page into one picture. */
const tallestPicture = 16_000

/** `narrowest`: what WCAG asks pages to fit, a window of 1280 px at four times the size. */
const screens = {
  wide: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
  narrowest: { width: 320, height: 640 },
} as const
const sizes = [
  [6, 12],
  [150, 1],
  [150, 12],
  [150, 60],
  [1000, 12],
  [1000, 60],
] as const

describe.skipIf(chromiumMissing !== undefined)('the fleet page', () => {
  const dashboard = openDashboard()
  mkdirSync(pictures, { recursive: true })

  describe.each(sizes)('with %i hosts and %i services', (hosts, services) => {
    test.each(['words', 'marks'])('ends with its content and keeps all names in sight, as %s', async (cells) => {
      dashboard.server.show(largeFleet(new Date(), hosts, services))
      await dashboard.page.setViewportSize(screens.wide)
      await dashboard.page.goto(`/?cells=${cells}`)
      expect(await misfitsOf(dashboard.page)).toEqual(noMisfits)
      await expectNamesInSight()
    })

    test.each(['wide', 'phone'] as const)('shows first what needs attention, on a %s screen', async (screen) => {
      dashboard.server.show(largeFleet(new Date(), hosts, services))
      await dashboard.page.setViewportSize(screens[screen])
      await dashboard.page.goto('/')
      expect(await misfitsOf(dashboard.page)).toEqual(noMisfits)
      for (const what of ['.verdict h1', '.bar', '.alert-lines li'])
        expect(await isOnFirstScreen(dashboard.page, what), what).toBe(true)
      if (screen === 'wide') {
        const ends = 'document.querySelectorAll(".alert-lines li:has(.is-critical)")'
        const lowest = `Math.max(...[...${ends}].map((alert) => alert.getBoundingClientRect().bottom))`
        expect(Number(await dashboard.page.evaluate(lowest))).toBeLessThan(screens.wide.height)
        // Alerts of many causes come before the hosts that they are about.
        if (hosts <= 150) expect(await isOnFirstScreen(dashboard.page, '#grid tbody tr')).toBe(true)
      }
      expect(await dashboard.page.locator('.alert-lines .severity').first().textContent()).toBe('critical')
      expect(await dashboard.page.locator('#grid tbody .state').first().textContent()).toBe('failed')
      if (screen === 'phone' && services > 10) expect(await drawn('#grid td > i')).toBe(0)
      expect(await drawn('#grid td > a')).toBeGreaterThan(0)
      for (const colorScheme of ['light', 'dark'] as const) {
        await dashboard.page.emulateMedia({ colorScheme })
        await takePicture(`fleet-${hosts}x${services}-${screen}-${colorScheme}`)
      }
    })
  })

  test.each(['wide', 'phone', 'narrowest'] as const)(
    'and every other page end with their content: %s',
    async (screen) => {
      await dashboard.signIn()
      await dashboard.page.setViewportSize(screens[screen])
      const misfits: string[] = []
      for (const path of pagePaths) {
        await dashboard.page.goto(path)
        const found = JSON.stringify(await misfitsOf(dashboard.page))
        if (found !== JSON.stringify(noMisfits)) misfits.push(`${path}: ${found}`)
      }
      expect(misfits).toEqual([])
    },
  )

  async function expectNamesInSight(): Promise<void> {
    const grid = dashboard.page.locator('#grid')
    await grid.scrollIntoViewIfNeeded()
    await grid.evaluate((box) => box.scrollTo(box.scrollWidth, box.scrollHeight))
    const [box, corner, lastHost, lastService] = await Promise.all(
      ['#grid', '#grid .corner', '#grid tbody th >> nth=-1', '#grid thead th >> nth=-1'].map((part) =>
        dashboard.page.locator(part).boundingBox(),
      ),
    )
    if (!box || !corner || !lastHost || !lastService) throw new Error('a part of the grid is not drawn')
    expect(corner.x).toBeCloseTo(box.x + 1, 0)
    expect(corner.y).toBeCloseTo(box.y + 1, 0)
    expect(lastHost.x).toBeCloseTo(box.x + 1, 0)
    expect(lastHost.y + lastHost.height).toBeLessThanOrEqual(box.y + box.height)
    expect(lastService.y).toBeCloseTo(box.y + 1, 0)
    expect(lastService.x + lastService.width).toBeLessThanOrEqual(box.x + box.width)
    expect(box.y + box.height).toBeLessThan(screens.wide.height + 2)
  }

  async function drawn(selector: string): Promise<number> {
    const all = `[...document.querySelectorAll('${selector}')]`
    return Number(await dashboard.page.evaluate(`${all}.filter((one) => one.checkVisibility()).length`))
  }

  async function takePicture(name: string): Promise<void> {
    const height = Number(await dashboard.page.evaluate('document.documentElement.scrollHeight'))
    const { width } = dashboard.page.viewportSize() ?? screens.wide
    const clip = { x: 0, y: 0, width, height: Math.min(height, tallestPicture) }
    await dashboard.page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, clip })
  }
})
