// Drift, pending, held, failed and offline in every combination that there can be: page, alerts, `plumb check` and API say the same of it, and
// each way out does what it says when it is typed as it stands on the page.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { factsOf, type ServiceFact } from '../../shared/report.ts'
import { terminalUnavailable } from '../support/terminal.ts'
import { chromiumMissing, startChromium } from './chromium.ts'
import { type Checked, type World, worldIn } from './world.ts'

const unavailable = chromiumMissing ?? terminalUnavailable() ?? undefined
if (unavailable !== undefined) console.log(`skipped: ${unavailable}`)

const names = ['failed', 'drift', 'pending', 'held'] as const satisfies readonly ServiceFact[]
const combinations = Array.from({ length: 2 ** names.length }, (_, bits) =>
  names.filter((_name, index) => (bits >> index) % 2 === 1),
)
  // An apply of nothing does not fail, and what fails without a commit is a repair.
  .filter((facts) => !facts.includes('failed') || facts.includes('drift') || facts.includes('pending'))

const finding = 'file:/etc/web/main.conf'

describe.skipIf(unavailable !== undefined)('a service that is', () => {
  let browser: Browser
  let world: World | undefined

  beforeAll(async () => {
    browser = await startChromium()
  })
  afterAll(() => browser.close())

  test.each(combinations.map((facts) => [facts.join(', ') || 'in sync', facts] as const))('%s', async (_, facts) => {
    world = await worldIn(facts)
    const page = await signedIn(browser, world)
    try {
      const checked = await world.reported()
      expect(factsOf(checked.service)).toEqual(facts)
      await sameEverywhere(world, page, { checked, facts })
      const commands = facts.includes('drift') ? await commandsOn(page) : {}
      await world.fallOffline()
      await sameEverywhere(world, page, { checked, facts, isOffline: true })
      expect(facts.includes('drift') ? await commandsOn(page) : {}).toEqual(commands)
      expect(Object.keys(commands)).toEqual(expectedCommands(facts))
      for (const [id, line] of Object.entries(commands)) await doesWhatItSays(world, id, line)
    } finally {
      await page.context().close()
      await world.remove()
    }
  })
})

/** In the order in which they stand: the hold first, and nothing that is refused. */
function expectedCommands(facts: readonly ServiceFact[]): readonly string[] {
  if (!facts.includes('drift')) return []
  return [
    ...(facts.includes('held') ? ['end-hold'] : []),
    ...(facts.includes('pending') ? ['keep-by-hand'] : ['keep-it', 'keep-it-from-clone']),
    ...(facts.includes('failed') ? [] : ['apply']),
  ]
}

type Said = { readonly checked: Checked; readonly facts: readonly ServiceFact[]; readonly isOffline?: boolean }

async function sameEverywhere(world: World, page: Page, { checked, facts, isOffline = false }: Said): Promise<void> {
  const host = hostSchema.parse(await json(world, '/api/v1/hosts/web-1'))
  const fleet = fleetSchema.parse(await json(world, '/api/v1/fleet'))
  expect(host.services).toMatchObject([{ facts, waysOut: checked.ways }])
  expect(fleet.hosts).toMatchObject([{ state: isOffline ? 'offline' : host.services[0]?.state, cells: [{ facts }] }])

  const alerts = (await world.server.openAlerts()).map(({ kind, text }) => ({ kind, text }))
  expect(alerts.map(({ kind }) => kind).toSorted()).toEqual([
    ...(facts.includes('failed') ? ['apply-failed'] : []),
    ...(facts.includes('drift') && !facts.includes('held') ? ['drift'] : []),
    ...(isOffline ? ['host-offline'] : []),
  ])
  const remedies = alerts.filter(({ kind }) => kind !== 'host-offline').map(({ text }) => text)
  if (facts.includes('failed')) expect([...remedies, checked.text].join('\n')).not.toMatch(/plumb apply/)
  for (const fact of ['drift', 'pending'] as const)
    expect(checked.text.includes(`web: ${fact}: `)).toBe(facts.includes(fact))
  expect(checked.text.includes('web: held by ')).toBe(facts.includes('held'))
  expect(checked.text.includes('web: failed at ')).toBe(facts.includes('failed'))

  await page.goto('/hosts/web-1')
  const onHost = await statesIn(page, '#service-web header .state')
  expect(onHost).toEqual(expectedStates(facts))
  expect((await page.locator('h1 ~ .state').textContent())?.includes('offline')).toBe(isOffline)
  await page.goto('/')
  expect(await statesIn(page, '#grid td[data-service="web"], #grid td[data-service="web"] .also')).toEqual(
    expectedStates(facts),
  )
  if (!facts.includes('drift')) return
  await page.goto(`/hosts/web-1/drift?resource=${encodeURIComponent(finding)}`)
  expect(await statesIn(page, '.heading .state')).toEqual(facts)
  if (isOffline) expect(await page.locator('main .stale').textContent()).toContain('Not current')
  const text = await page.locator('main').innerText()
  expect(text).toContain('as last applied')
  expect(text.includes('Changed in the repository, not applied yet')).toBe(facts.includes('pending'))
  if (facts.includes('pending')) expect(text).toMatch(/Two workers[\s\S]*Grace/)
  expect(text).toContain('the beginning')
  if (facts.includes('held'))
    expect(text.indexOf('the fix of this night')).toBeLessThan(text.indexOf('Changed on the host'))
}

function expectedStates(facts: readonly ServiceFact[]): readonly string[] {
  return facts.some((fact) => fact !== 'held') ? facts : ['in-sync', ...facts]
}

/** By the class that gives them their shape. */
async function statesIn(page: Page, selector: string): Promise<readonly string[]> {
  const classes = await page.locator(selector).evaluateAll((found) => found.map((one) => one.className))
  return classes.flatMap((text) => /(?:^| )is-([a-z-]+)/.exec(text)?.[1] ?? [])
}

/** By their ids, as they would be copied. */
async function commandsOn(page: Page): Promise<Readonly<Record<string, string>>> {
  await page.goto(`/hosts/web-1/drift?resource=${encodeURIComponent(finding)}`)
  const found = await page
    .locator('.command pre')
    .evaluateAll((all) => all.map((one) => [one.id, one.textContent ?? '']))
  return Object.fromEntries(found)
}

async function doesWhatItSays(world: World, id: string, line: string): Promise<void> {
  const { fleet } = world.server
  const before = await fleet.head()
  const { code, shown } = await world.typed(line, async () => {
    if (id === 'end-hold') expect((await world.box.plumb('hold')).out).toContain('nothing is held')
    else if (id === 'apply') expect((await world.box.plumb('check')).out).toMatch(/^in sync: /)
    else if (id === 'keep-by-hand') expect(await fleet.head()).not.toBe(before)
    else {
      const branch = await fleet.git('for-each-ref', '--format=%(refname:short)', 'refs/heads/adopt')
      expect(await fleet.git('show', `${branch}:services/web/files/etc/web/main.conf`)).toBe('workers 9;')
    }
  })
  expect([line, code, shown]).toEqual([line, 0, shown])
}

async function signedIn(browser: Browser, { server }: World): Promise<Page> {
  const context = await browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 900 } })
  const page = await context.newPage()
  await page.goto('/login')
  await page.getByLabel('Operator token').fill(server.operatorToken)
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('/')
  return page
}

const factsSchema = z.array(z.string())
const hostSchema = z.object({
  services: z.array(z.object({ state: z.string(), facts: factsSchema, waysOut: z.array(z.unknown()) })),
})
const fleetSchema = z.object({
  hosts: z.array(z.object({ state: z.string(), cells: z.array(z.object({ facts: factsSchema })) })),
})

async function json(world: World, path: string): Promise<unknown> {
  return await (await world.server.get(path)).json()
}
