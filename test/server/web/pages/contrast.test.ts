// WCAG 2.2 AA on the tokens of the style sheet, light and dark: text 4.5:1, marks and edges of controls 3:1.
import { expect, test } from 'vitest'
import { styleSheet } from '../../../../server/web/pages/static-files.ts'

const states = ['in-sync', 'drift', 'failed', 'pending', 'held', 'offline'] as const
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

const color = expect.stringMatching(/^#[0-9a-f]{6}$/)

const shapePairs: readonly (readonly [string, string])[] = grounds.map((ground) => ['edge', ground] as const)

const tokens = colorTokens()

const schemes = {
  light: Object.fromEntries(tokens.map(({ name, light }) => [name, light])),
  dark: Object.fromEntries(tokens.map(({ name, dark }) => [name, dark])),
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

test('each color token has a light and a dark value', () => {
  expect(tokens.length).toBeGreaterThan(20)
  for (const { name, light, dark } of tokens) expect([light, dark], name).toEqual([color, color])
})

test('no color is written outside of the tokens', () => {
  const rules = styleSheet.body.slice(styleSheet.body.indexOf('}'))
  expect(rules.length).toBeGreaterThan(5000)
  expect(rules).not.toMatch(/#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/i)
})

/** `--name: light-dark(#rrggbb, #rrggbb)`. */
function colorTokens(): readonly { readonly name: string; readonly light: string; readonly dark: string }[] {
  const root = styleSheet.body.slice(0, styleSheet.body.indexOf('}'))
  return [...root.matchAll(/--([a-z-]+): light-dark\(([^,]+), ([^)]+)\);/g)].map(
    ([, name = '', light = '', dark = '']) => ({ name, light, dark }),
  )
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
