// WCAG 2.2 AA on the tokens of the style sheet, light and dark: text 4.5:1, marks and edges of controls 3:1.
import { expect, test } from 'vitest'
import { styleSheet } from '../../../../server/web/pages/static-files.ts'

const states = ['in-plumb', 'drift', 'failed', 'pending', 'held', 'silent'] as const
const grounds = ['ground', 'surface', 'raised'] as const

const textPairs: readonly (readonly [string, string])[] = [
  ...grounds.flatMap((ground) => ['text', 'muted', 'link'].map((ink) => [ink, ground] as const)),
  ...states.flatMap((state) => [state, 'text'].map((ink) => [ink, `${state}-tint`] as const)),
  ...states.flatMap((state) => grounds.map((ground) => [state, ground] as const)),
  ...['added-tint', 'added-mark', 'removed-tint', 'removed-mark'].map((ground) => ['text', ground] as const),
  ['muted', 'added-tint'],
  ['muted', 'removed-tint'],
  ['on-action', 'action'],
]

const shapePairs: readonly (readonly [string, string])[] = grounds.map((ground) => ['edge', ground] as const)

const schemes = {
  light: tokensOf(':root {'),
  dark: { ...tokensOf(':root {'), ...tokensOf('(prefers-color-scheme: dark)') },
}

test.each(['light', 'dark'] as const)('text can be read in %s', (scheme) => {
  for (const [ink, ground] of textPairs) {
    expect(contrast(schemes[scheme], ink, ground), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5)
  }
})

test.each(['light', 'dark'] as const)('the edges of controls can be seen in %s', (scheme) => {
  for (const [ink, ground] of shapePairs) {
    expect(contrast(schemes[scheme], ink, ground), `${ink} on ${ground}`).toBeGreaterThanOrEqual(3)
  }
})

test('dark says something else for every colour', () => {
  const colours = Object.entries(tokensOf(':root {')).filter(([, value]) => value.startsWith('#'))
  expect(colours.length).toBeGreaterThan(20)
  const dark = tokensOf('(prefers-color-scheme: dark)')
  for (const [name] of colours) expect(dark, name).toHaveProperty(name)
})

test('no colour is written outside of the tokens', () => {
  const rules = styleSheet.body.slice(styleSheet.body.indexOf('*,\n*::before'))
  expect(rules.length).toBeGreaterThan(5000)
  expect(rules).not.toMatch(/#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/i)
})

function tokensOf(opening: string): Readonly<Record<string, string>> {
  const css = styleSheet.body
  const from = css.indexOf(opening)
  const block = css.slice(from, css.indexOf('}', from))
  return Object.fromEntries([...block.matchAll(/--([a-z-]+):\s*([^;]+);/g)].map(([, name, value]) => [name, value]))
}

function contrast(tokens: Readonly<Record<string, string>>, ink: string, ground: string): number {
  const [lighter = 0, darker = 0] = [luminance(tokens[ink]), luminance(tokens[ground])].sort((a, b) => b - a)
  return (lighter + 0.05) / (darker + 0.05)
}

/** Relative luminance of `#rrggbb`, as WCAG defines it. */
function luminance(colour: string | undefined): number {
  const channels = /^#(..)(..)(..)$/.exec(colour ?? '')
  if (channels === null) throw new Error(`not a colour: ${colour}`)
  const [red = 0, green = 0, blue = 0] = channels.slice(1).map((hex) => {
    const channel = Number.parseInt(hex, 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
