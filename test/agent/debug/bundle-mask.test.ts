// Keys in the texts of a debug bundle: whole, cut at one end, and with values in them that the mask took out before.
import { expect, test } from 'vitest'
import { bundleMask } from '../../../agent/debug/bundle-mask.ts'

const body = ['lQOYBGXk1cABCADJ3Qm7', 'v8Zt0y5Kc2LQx4nPp9Uu', 'Kx7CANARYc0d3Rr6Ww2E']
const mask = bundleMask({ kind: 'known', values: ['CANARY'] }, ['the-password'])

function expectNothingOf(text: string): void {
  const masked = mask(text) ?? ''
  for (const line of body) {
    expect(masked).not.toContain(line.slice(0, 10))
    expect(masked).not.toContain(line.slice(-8))
  }
  expect(masked).toContain('kept')
}

test('a PGP key whose armor has header lines and no end', () => {
  const head = '-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\nComment: of the host\n\n'
  expectNothingOf(`kept\n${head}${body.join('\n')}`)
  expectNothingOf(`kept\n${head}${body.join('\n')}\n-----END PGP PRIVATE KEY BLOCK-----\n`)
})

test.each(['\n', '\\n'])('a key that was cut at one end, its lines parted by %j', (lineBreak) => {
  expectNothingOf(`kept "-----BEGIN PRIVATE KEY-----${lineBreak}${body.join(lineBreak)}`)
  expectNothingOf(`${body.join(lineBreak)}${lineBreak}-----END PRIVATE KEY-----\nkept`)
  expectNothingOf(`kept: ${body.join(lineBreak)}${lineBreak}-----END PRIVATE KEY-----`)
})

test('a password with a slash in it, in an address', () => {
  const withSlash = bundleMask({ kind: 'known', values: [] }, ['a/b:CANARY'])
  expect(withSlash('clone of https://bot:a/b:CANARY@git.example.org/x')).toBe('clone of https://git.example.org/x')
})
