// What axe finds on the pages, in every way a person may look at them: nothing. And the keyboard's way through a large fleet.
import AxeBuilder from '@axe-core/playwright'
import { describe, expect, test } from 'vitest'
import { staticFiles } from '../../server/web/pages/static-files.ts'
import { dashboard as routedDashboard } from '../server/web/pages/dashboard.ts'
import { largeFleet } from '../server/web/pages/fixtures.ts'
import { chromiumMissing } from './chromium.ts'
import { openDashboard, pagePaths, pagesByRoute } from './open-dashboard.ts'

const ways = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  'forced colors': { forcedColors: 'active' },
  'a phone': { viewport: { width: 390, height: 844 } },
} as const

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

test('every route of a page is looked at', () => {
  const files = new Set(staticFiles.map((file) => file.address))
  const routes = routedDashboard().routes.filter(({ method }) => method === 'GET')
  const paths = new Set(routes.map(({ path }) => path).filter((path) => !files.has(path)))
  expect(paths.size).toBeGreaterThan(5)
  expect(Object.keys(pagesByRoute).toSorted()).toEqual([...paths].toSorted())
})

describe.skipIf(chromiumMissing !== undefined)('axe finds nothing', () => {
  const dashboard = openDashboard()

  test.each(Object.keys(ways) as (keyof typeof ways)[])('on any page in %s', async (way) => {
    await dashboard.reopen(ways[way])
    await dashboard.signIn()
    const found: string[] = []
    for (const path of pagePaths) {
      await dashboard.page.goto(path)
      await unfoldAll()
      found.push(...(await faults(path)))
    }
    dashboard.server.show(largeFleet(new Date(), 300, 30))
    await dashboard.page.goto('/?page=2')
    found.push(...(await faults('the second page of a large fleet')))
    expect(found).toEqual([])
  })

  test.each(['light', 'a phone'] as const)('on what comes of a form, in %s', async (way) => {
    await dashboard.reopen(ways[way])
    await dashboard.page.goto('/login')
    await dashboard.page.getByLabel('Operator token').fill('another')
    await dashboard.page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
    await dashboard.page.getByRole('alert').waitFor()
    const found = [...(await faults('a refused sign-in'))]
    await dashboard.signIn()
    await dashboard.page.goto('/enroll?host=edge-6')
    await dashboard.page.getByRole('button', { name: 'Make the install line' }).click()
    await dashboard.page.getByText('It enrolls one host, once.').waitFor()
    found.push(...(await faults('the install line')))
    await dashboard.page.goto('/')
    await dashboard.page.getByRole('button', { name: 'Sync' }).click()
    await dashboard.page.getByText('Asked 11 agents to sync.').waitFor()
    found.push(...(await faults('a notice')))
    expect(found).toEqual([])
  })

  /** But for the cards of commits, which lie over the lines: one is open at a time. */
  async function unfoldAll(): Promise<void> {
    await dashboard.page.evaluate(
      'document.querySelectorAll("details:not(.blame details)").forEach((one) => { one.open = true })',
    )
    await dashboard.page.evaluate('document.querySelector(".blame details")?.setAttribute("open", "")')
  }

  async function faults(where: string): Promise<readonly string[]> {
    const { violations } = await new AxeBuilder({ page: dashboard.page }).setLegacyMode().withTags(rules).analyze()
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${where}: ${id}: ${html.slice(0, 200)}`))
  }
})

describe.skipIf(chromiumMissing !== undefined)('by keyboard, in a fleet of 1,000 hosts and 30 services', () => {
  const dashboard = openDashboard()

  async function focused(): Promise<string> {
    return String(await dashboard.page.evaluate('document.activeElement.textContent'))
  }

  test('each host is one stop of the Tab key, also without scripts', async () => {
    await dashboard.reopen({ javaScriptEnabled: false })
    dashboard.server.show(largeFleet(new Date(), 1000, 30))
    await dashboard.page.goto('/')
    const stops = await dashboard.page
      .locator(':is(a, button, input, summary, [tabindex]):not([tabindex="-1"])')
      .count()
    expect(stops).toBeGreaterThan(200)
    expect(stops).toBeLessThan(300)
    await dashboard.page.getByRole('link', { name: 'node-5.dc2', exact: true }).focus()
    await dashboard.page.keyboard.press('Tab')
    expect(await focused()).toBe('node-102.dc3')
  })

  test('the arrow keys go to the cells with news, and Tab goes on from there', async () => {
    dashboard.server.show(largeFleet(new Date(), 1000, 30))
    await dashboard.page.goto('/')
    await dashboard.page.getByRole('link', { name: 'node-5.dc2', exact: true }).focus()
    await dashboard.page.keyboard.press('ArrowRight')
    expect(await focused()).toBe('failed')
    expect(await dashboard.page.evaluate('document.activeElement.closest("tr").id')).toBe('host-node-5.dc2')
    await dashboard.page.keyboard.press('ArrowUp')
    expect(await dashboard.page.evaluate('document.activeElement.closest("thead") !== null')).toBe(true)
    await dashboard.page.keyboard.press('ArrowDown')
    expect(await focused()).toBe('failed')
    await dashboard.page.keyboard.press('ArrowLeft')
    expect(await focused()).toBe('node-5.dc2')
    await dashboard.page.keyboard.press('ArrowDown')
    expect(await focused()).toBe('node-102.dc3')
    await dashboard.page.keyboard.press('Enter')
    await dashboard.page.waitForURL('/hosts/node-102.dc3')
  })

  test('what has the focus is not under the names that stay in sight', async () => {
    dashboard.server.show(largeFleet(new Date(), 1000, 30))
    await dashboard.page.goto('/')
    await dashboard.page.locator('#grid').evaluate((grid) => grid.scrollTo(9000, 9000))
    const obscured =
      await dashboard.page.evaluate(`[...document.querySelectorAll('#grid td a')].slice(0, 40).filter((link) => {
      link.focus()
      const { x, y, width, height } = link.getBoundingClientRect()
      return !link.contains(document.elementFromPoint(x + width / 2, y + height / 2))
    }).map((link) => link.outerHTML)`)
    expect(obscured).toEqual([])
  })
})
