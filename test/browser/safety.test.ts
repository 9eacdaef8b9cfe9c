// What other sites and planted content can do in an operator’s browser, and what the operator can.
import { describe, expect, test } from 'vitest'
import { exampleFleet } from '../server/web/pages/fixtures.ts'
import { chromiumMissing } from './chromium.ts'
import { openDashboard, patience } from './open-dashboard.ts'

describe.skipIf(chromiumMissing !== undefined)('the operator’s browser', () => {
  const dashboard = openDashboard()

  test('an operator enrolls a host and copies the line', async () => {
    await dashboard.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await dashboard.signIn()
    await dashboard.page.goto('/enroll?host=edge-6')
    await dashboard.page.getByRole('button', { name: 'Make the install line' }).click()
    await dashboard.page.getByText('It enrolls one host, once.').waitFor()
    await dashboard.page.getByRole('button', { name: 'Copy' }).click()
    await dashboard.page.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await dashboard.page.evaluate('navigator.clipboard.readText()')).toMatch(/^curl .* plumb_edge-6_/)
  })

  test('another site in the operator’s browser can change nothing', async () => {
    await dashboard.signIn()
    const answers: number[] = []
    dashboard.page.on('response', (response) => response.url().endsWith('/sync') && answers.push(response.status()))
    await dashboard.page.route('http://other.example/**', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" action="${dashboard.server.url}/sync"><button>Win a prize</button></form>`,
      }),
    )
    await dashboard.page.goto('http://other.example/')
    await dashboard.page.getByRole('button', { name: 'Win a prize' }).click()
    await dashboard.page.waitForURL(`${dashboard.server.url}/sync`)
    expect(await dashboard.page.getByRole('heading', { level: 1 }).textContent()).toBe('Refused')
    await dashboard.page.goto('http://other.example/')
    await dashboard.page.evaluate(
      `fetch('${dashboard.server.url}/sync', { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => {})`,
    )
    expect(answers).toContain(403)
    expect(answers).not.toContain(303)
    expect(dashboard.server.synced()).toBe(0)
  })

  test('a script in a README that came through does not run', async () => {
    const example = exampleFleet(new Date())
    const readmeHtml = '<p>hello</p><script>window.ran = 1</script><img src="x" onerror="window.ran = 2">'
    dashboard.server.show({ ...example, services: example.services.map((service) => ({ ...service, readmeHtml })) })
    await dashboard.page.goto('/services/nginx')
    await dashboard.page.getByText('hello').waitFor()
    await dashboard.announce((fixture) => ({
      ...fixture,
      alerts: [],
      services: fixture.services.map((service) => ({ ...service, readmeHtml })),
    }))
    await expect.poll(() => dashboard.page.title(), patience).toBe('nginx · Plumbline')
    expect(await dashboard.page.evaluate('window.ran')).toBeUndefined()
    expect(dashboard.complaints.join(' ')).toContain('Content Security Policy')
  })
})
