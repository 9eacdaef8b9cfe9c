// The commit behind a line, read in a real browser: by pointer, by keyboard, and without scripts.
import { describe, expect, test } from 'vitest'
import { chromiumMissing } from './chromium.ts'
import { openDashboard } from './open-dashboard.ts'

const address = '/why?path=/etc/nginx/nginx.conf&host=web-2'
const reason = 'Measured: 1,400 connections at peak.'

describe.skipIf(chromiumMissing !== undefined)('the page of a path', () => {
  const dashboard = openDashboard()
  const summary = () => dashboard.page.locator('#commit-of-L7 > summary')
  const card = () => dashboard.page.locator('#commit-of-L7 .card')

  test('shows a commit’s whole message while the pointer or the focus is on it', async () => {
    await dashboard.page.goto(address)
    expect(await card().isVisible()).toBe(false)
    await summary().hover()
    await card().getByText(reason).waitFor()
    await dashboard.page.mouse.move(0, 0)
    await card().waitFor({ state: 'hidden' })

    await dashboard.page.locator('tr#L6 a').focus()
    await dashboard.page.keyboard.press('Tab')
    await card().getByText(reason).waitFor()
  })

  test('unfolds it with a click, without a script, and moves no line', async () => {
    await dashboard.reopen({ javaScriptEnabled: false })
    await dashboard.page.goto(address)
    const before = await dashboard.page.locator('#L14').boundingBox()
    await summary().click()
    await dashboard.page.mouse.move(0, 0)
    expect(await card().isVisible()).toBe(true)
    expect(await dashboard.page.locator('#L14').boundingBox()).toEqual(before)
  })

  test('marks the line of the address, and runs nothing that stands in a line', async () => {
    await dashboard.page.goto(`${address}#L7`)
    const background = (id: string) =>
      dashboard.page.evaluate(`getComputedStyle(document.querySelector('#${id} > .t')).backgroundColor`)
    expect(await background('L7')).not.toBe(await background('L8'))
    expect(await dashboard.page.evaluate('window.ran')).toBeUndefined()
    expect(dashboard.complaints).toEqual([])
  })
})
