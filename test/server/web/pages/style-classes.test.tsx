// The style sheet and the pages name the same classes: no rule that no page uses, no class that means nothing.
import { expect, test } from 'vitest'
import { liveScript, styleSheet } from '../../../../server/web/pages/static-files.ts'
import { dashboard, now, readablePaths, session } from './dashboard.ts'
import { emptyFleet, exampleFleet, largeFleet } from './fixtures.ts'
import { RareParts } from './rare-parts.tsx'

const morePaths = [
  '/services/grafana',
  '/services/caddy',
  '/hosts/edge-1',
  '/why?path=/etc/nginx/nginx.conf&host=web-2',
]
/** An event by its kind, drawn as events are. */
const unstyled = ['is-hold-ended']

const pathsWithForms = ['/enroll', '/why?path=/etc/nginx', '/nowhere', '/login?required=1', '/?q=nothing-is-named-so']

test('each class of the style sheet is used by a page, and each class of a page is in the style sheet', async () => {
  const used = new Set([...(await usedByPages()), ...usedByScript()])
  const styled = styledClasses()
  expect(used.size).toBeGreaterThan(100)
  expect(styled.size).toBeGreaterThan(100)
  expect([...styled].filter((name) => !used.has(name))).toEqual([])
  expect([...used].filter((name) => !styled.has(name))).toEqual(unstyled)
})

test('each custom property is set and read', () => {
  const set = new Set([...styleSheet.body.matchAll(/(--[a-z-]+):/g)].map(([, name]) => name))
  const read = new Set([...styleSheet.body.matchAll(/var\((--[a-z-]+)/g)].map(([, name]) => name))
  expect(set.size).toBeGreaterThan(30)
  expect([...set].toSorted()).toEqual([...read].toSorted())
})

async function usedByPages(): Promise<readonly string[]> {
  const example = dashboard({}, exampleFleet(now))
  const others = [
    dashboard({}, largeFleet(now, 260, 30)),
    dashboard({}, emptyFleet()),
    dashboard({ isNotified: async () => false, hasAgent: async () => false, recordingProblem: async () => unrecorded }),
  ]
  const refused = await (await example.post('/login', { token: 'another' })).text()
  const made = (await example.post('/enroll', { host: 'edge-6' }, session)).headers.get('location') ?? ''
  const pages = await Promise.all([
    ...[...readablePaths, ...morePaths, ...pathsWithForms, made].map((path) => example.html(path, session)),
    ...others.flatMap((one) => ['/', '/enroll'].map((path) => one.html(path, session))),
  ])
  return [refused, ...pages, String(<RareParts now={now} />)].flatMap(classesIn)
}

const unrecorded = {
  code: 'disk-full',
  message: 'The disk is full.',
  remedy: 'Make room.',
  since: now.toISOString(),
} as const

function classesIn(html: string): readonly string[] {
  return [...html.matchAll(/ class="([^"]+)"/g)].flatMap(([, names = '']) => names.split(' '))
}

function usedByScript(): readonly string[] {
  return [...liveScript.body.matchAll(/classList\.(?:add|toggle)\('([\w-]+)'/g)].map(([, name = '']) => name)
}

/** In selectors alone: what is in comments, quotes and declarations names no class. */
function styledClasses(): ReadonlySet<string> {
  const selectors = styleSheet.body
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/[^{};]*;/g, '')
  return new Set([...selectors.matchAll(/\.([a-z][\w-]*)/g)].map(([, name = '']) => name))
}
