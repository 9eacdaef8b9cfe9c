// A browser's page on the fixture server, fresh for each test of a file, with what the tests say of it.
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { exampleFleet, type FixtureFleet } from '../server/web/pages/fixtures.ts'
import { chromiumMissing, startChromium } from './chromium.ts'
import { type FixtureServer, operatorToken, startFixtureServer } from './fixture-server.ts'

/** Every page, an operator's included, by its route. accessibility.test.ts says which new one is missing here. */
export const pagesByRoute: Readonly<Record<string, readonly string[]>> = {
  '/': ['/', '/?cells=marks', '/?q=nothing-is-named-so'],
  '/hosts/:host': ['web-2', 'db-2', 'mon-1', 'edge-1', 'edge-3', 'edge-5', 'edge-6', 'build-1'].map(
    (host) => `/hosts/${host}`,
  ),
  '/hosts/:host/drift': [
    '/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf',
    '/hosts/web-2/drift?resource=unit:nginx.service',
    '/hosts/web-2/drift?resource=file:/none',
  ],
  '/services/:service': ['/services/nginx', '/services/grafana', '/services/caddy'],
  '/why': ['/why?path=/etc/nginx/nginx.conf&host=web-2', '/why?path=/etc/nginx', '/why?path=/none'],
  '/alerts': ['/alerts'],
  '/login': ['/login', '/login?required=1'],
  // Leads to /enroll.
  '/enrol': [],
  '/enroll': ['/enroll', '/enroll?host=edge-6'],
  '/enroll/:line': ['/enroll/long-gone'],
  '/*': ['/nowhere'],
}

export const pagePaths = Object.values(pagesByRoute).flat()

/** For what a page does by itself: a busy machine may take its time. */
export const patience = { timeout: 120_000 }

if (chromiumMissing !== undefined) console.log(`browser tests are left out: ${chromiumMissing}`)

/** Call it in a `describe`: its hooks start the browser once, a server and a page for each test. */
export function openDashboard() {
  let browser: Browser
  let server: FixtureServer
  let context: BrowserContext
  let page: Page
  let complaints: string[] = []

  async function open(options: BrowserContextOptions): Promise<void> {
    complaints = []
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, baseURL: server.url, ...options })
    page = await context.newPage()
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
  }

  beforeAll(async () => {
    browser = await startChromium()
  })
  beforeEach(async () => {
    server = await startFixtureServer(exampleFleet(new Date()))
    await open({})
  })
  afterEach(async () => {
    await context.close()
    await server.close()
  })
  afterAll(async () => {
    await browser.close()
  })

  return {
    get page(): Page {
      return page
    },
    get context(): BrowserContext {
      return context
    },
    get server(): FixtureServer {
      return server
    },
    /** What the browser's console said in red. */
    get complaints(): readonly string[] {
      return complaints
    },
    async reopen(options: BrowserContextOptions): Promise<void> {
      await context.close()
      await open(options)
    },
    /** On the same port, as after a restart. */
    async restartServer(): Promise<void> {
      server = await startFixtureServer(exampleFleet(new Date()), Number(new URL(server.url).port))
    },
    async signIn(): Promise<void> {
      await page.goto('/login')
      await page.getByLabel('Operator token').fill(operatorToken)
      await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
      await page.waitForURL('/')
    },
    /** Changes what the pages show and tells those that are open. */
    async announce(change: (fixture: FixtureFleet) => FixtureFleet): Promise<void> {
      await server.listened()
      server.show(change(exampleFleet(new Date())))
      await server.announce()
    },
    hostNames: (): Promise<string[]> => page.locator('tbody th .who > a').allTextContents(),
    /** A reload would lose what was written on the window. */
    async markWindow(): Promise<void> {
      await page.evaluate('window.notReloaded = true')
    },
    async expectNoReload(): Promise<void> {
      expect(await page.evaluate('window.notReloaded')).toBe(true)
    },
  }
}
