import { describe, expect, test } from 'vitest'
import { splitAddress, withoutUserInformation } from '../../shared/address.ts'

const secret = 'CANARY'

describe('splitAddress', () => {
  test.each([
    ['https://bot:CANARY@forge.example/fleet.git', 'https://forge.example/fleet.git', 'bot', secret],
    ['https://CANARY@forge.example/fleet.git', 'https://forge.example/fleet.git', secret, ''],
    ['https://:CANARY@forge.example/fleet.git', 'https://forge.example/fleet.git', '', secret],
    ['http://bot:CAN%41RY@[::1]:8080/x', 'http://[::1]:8080/x', 'bot', secret],
    ['https://bot:CANARY%2@forge.example/x', 'https://forge.example/x', 'bot', 'CANARY%2'],
    ['https://bot:p@CANARY@forge.example/x', 'https://forge.example/x', 'bot', 'p@CANARY'],
    ['HTTPS://bot:CANARY@forge.example/x', 'https://forge.example/x', 'bot', secret],
    ['https:bot:CANARY@forge.example/x', 'https://forge.example/x', 'bot', secret],
  ])('%s is %s and credentials', (text, url, username, password) => {
    expect(splitAddress(text)).toEqual({ url, credentials: { username, password } })
  })

  test.each([
    ['ssh://git:CANARY@forge.example/x', 'ssh://git@forge.example/x'],
    ['git+ssh://git:CANARY@forge.example/x', 'git+ssh://git@forge.example/x'],
    ['htps://bot:CANARY@forge.example/x', 'htps://forge.example/x'],
    ['https://bot:CAN/ARY@forge.example/x', 'https://forge.example/x'],
    ['https://bot:CANARY#@forge.example:x/x', 'https://forge.example:x/x'],
  ])('%s keeps no password, and has none to use', (text, url) => {
    expect(splitAddress(text)).toEqual({ url })
  })

  test.each([
    'https://forge.example/@scope/fleet.git',
    'ssh://git@forge.example:2222/fleet.git',
    'git@forge.example:fleet.git',
    '/srv/git/fleet@home.git',
    '../fleet',
    '',
  ])('"%s" stays as it is', (text) => {
    expect(splitAddress(text)).toEqual({ url: text })
  })
})

test.each([
  ["fatal: unable to access 'https://bot:CANARY@forge/x/': 403", "fatal: unable to access 'https://forge/x/': 403"],
  ['from ssh://git:CANARY@forge to http://CANARY@forge', 'from ssh://forge to http://forge'],
  ['{"url":"https://bot:CANARY@forge/x"}', '{"url":"https://forge/x"}'],
  ['Cloning...https://bot:CANARY@forge -ohttps://CANARY@forge', 'Cloning...https://forge -ohttps://forge'],
  ['see https://forge/@scope and write to a@b.example', 'see https://forge/@scope and write to a@b.example'],
])('withoutUserInformation(%s)', (text, cleaned) => {
  expect(withoutUserInformation(text)).toBe(cleaned)
})

test.each(['a.', 'a://', 'a://b.', '://@'])('a text of "%s" alone is gone through in linear time', (part) => {
  const millisecondsFor = (characters: number) => {
    const text = part.repeat(characters / part.length)
    const start = performance.now()
    withoutUserInformation(text)
    return performance.now() - start
  }
  // 8 times as long each time; quadratic would be 64 times. A millisecond is below what is measured well.
  let before = 1
  for (const size of [31_250, 250_000, 2_000_000]) {
    const milliseconds = Math.min(millisecondsFor(size), millisecondsFor(size))
    if (size > 31_250) expect(milliseconds / before).toBeLessThan(32)
    before = Math.max(milliseconds, 1)
  }
})
