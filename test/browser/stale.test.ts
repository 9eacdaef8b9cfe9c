// What may be old looks old, and not by its color: on a screen, in a person's own colors, on paper.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chromiumMissing } from './chromium.ts'
import { openDashboard } from './open-dashboard.ts'

const pictures = 'build/pictures'

const media = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  forced: { forcedColors: 'active' },
  print: { media: 'print' },
} as const

describe.skipIf(chromiumMissing !== undefined)('what a host that is not connected reported last', () => {
  const dashboard = openDashboard()
  mkdirSync(pictures, { recursive: true })

  async function outlineOf(selector: string): Promise<string> {
    return String(await dashboard.page.evaluate(`getComputedStyle(document.querySelector('${selector}')).outlineStyle`))
  }

  test.each(Object.keys(media) as (keyof typeof media)[])('is dashed and said to be old: %s', async (name) => {
    const { page } = dashboard
    await page.emulateMedia(media[name])
    for (const cells of ['words', 'marks']) {
      await page.goto(`/?cells=${cells}`)
      expect(await outlineOf('#host-edge-5 td > i'), cells).toBe('dashed')
      expect(await outlineOf('#host-edge-1 td > i'), cells).not.toBe('dashed')
      expect(await page.locator('#host-edge-5 td > i').first().textContent()).toBe('was in sync')
      await page.screenshot({ path: join(pictures, `stale-fleet-${cells}-${name}.png`), fullPage: true })
    }
    expect(await page.getByText('1 host is not connected').isVisible()).toBe(true)

    await page.goto('/hosts/edge-5')
    expect(await page.getByText(/^Not current: as of 2 h ago .* UTC/).isVisible()).toBe(true)
    expect(await outlineOf('.host-service .state')).toBe('dashed')
    await page.screenshot({ path: join(pictures, `stale-host-${name}.png`), fullPage: true })

    await page.goto('/services/caddy')
    expect(await page.getByText(/^Not current: as of 2 h ago .* UTC/).isVisible()).toBe(true)
    expect(await page.locator('.host-list .state.was').allTextContents()).toEqual(['was in sync'])
    await page.screenshot({ path: join(pictures, `stale-service-${name}.png`), fullPage: true })
  })
})
