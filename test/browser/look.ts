// Pictures of every page, light and dark, wide and narrow, to look at: `npx tsx test/browser/look.ts DIRECTORY [NAME]`.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { emptyFleet, exampleFleet, largeFleet } from '../server/web/pages/fixtures.ts'
import { startChromium } from './chromium.ts'
import { operatorToken, startFixtureServer } from './fixture-server.ts'

const pages = {
  fleet: '/',
  compact: '/?cells=marks',
  host: '/hosts/web-2',
  failed: '/hosts/db-2',
  held: '/hosts/mon-1',
  asked: '/hosts/edge-1',
  'service-held': '/services/grafana',
  offline: '/hosts/edge-5',
  pending: '/hosts/edge-3',
  waiting: '/hosts/edge-6',
  service: '/services/nginx',
  drift: '/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf',
  unit: '/hosts/web-2/drift?resource=unit:nginx.service',
  why: '/why?path=/etc/nginx/nginx.conf&host=web-2',
  'why-any': '/why?path=/etc/nginx/nginx.conf#L7',
  'why-below': '/why?path=/etc/nginx',
  alerts: '/alerts',
  enroll: '/enroll',
  login: '/login?required=1',
  missing: '/nowhere',
} as const

const directory = process.argv[2] ?? 'build/look'
const only = process.argv[3]
mkdirSync(directory, { recursive: true })
const now = new Date()
const server = await startFixtureServer(exampleFleet(now))
const browser = await startChromium()
for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 390]) {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, baseURL: server.url })
    await signIn(context)
    const suffix = `${colorScheme}-${width}`
    server.show(exampleFleet(now))
    for (const [name, path] of Object.entries(pages)) await picture(context, path, `${name}-${suffix}`)
    await enrollPicture(context, `line-${suffix}`)
    await holdPicture(context, `hold-${suffix}`)
    await messagePicture(context, `why-message-${suffix}`)
    server.show(largeFleet(now, 200, 30))
    await picture(context, '/', `large-${suffix}`, false)
    server.show(emptyFleet())
    await picture(context, '/', `empty-${suffix}`)
    await context.close()
  }
}
await browser.close()
await server.close()

async function signIn(context: BrowserContext): Promise<void> {
  const page = await context.newPage()
  await page.goto('/login')
  await page.getByLabel('Operator token').fill(operatorToken)
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('/')
  await page.close()
}

async function picture(context: BrowserContext, path: string, name: string, fullPage = true): Promise<void> {
  if (only !== undefined && !name.startsWith(only)) return
  const page = await context.newPage()
  await page.goto(path)
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage })
  const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
  if (Number(overflow) > 0) console.log(`${name}: the page is ${overflow} px wider than the window`)
  await page.close()
}

async function enrollPicture(context: BrowserContext, name: string): Promise<void> {
  if (only !== undefined && !name.startsWith(only)) return
  const page = await context.newPage()
  await page.goto('/enroll')
  await page.getByRole('button', { name: 'Make the install line' }).click()
  await page.getByText('It enrolls one host, once.').waitFor()
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
  await page.close()
}

async function messagePicture(context: BrowserContext, name: string): Promise<void> {
  if (only !== undefined && !name.startsWith(only)) return
  const page = await context.newPage()
  await page.goto('/why?path=/etc/nginx/nginx.conf&host=web-2')
  await page.locator('#commit-of-L7 > summary').hover()
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
  await page.close()
}

async function holdPicture(context: BrowserContext, name: string): Promise<void> {
  if (only !== undefined && !name.startsWith(only)) return
  const page = await context.newPage()
  await page.goto('/hosts/web-2')
  await page.locator('#hold-nginx > summary').click()
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
  await page.close()
}
