import { expect, test } from 'vitest'
import { channelAddressWarnings } from '../../../agent/lint/channel-addresses.ts'

const secret = '$' + '{{ secrets.hook }}'

test.each([
  ['https://bot:CANARY@hooks.example/x', ['channel-password']],
  ['https://CANARY@hooks.example/x', ['channel-password']],
  ['https://hooks.example/@team/x', []],
  [secret, []],
  [`https://bot:${secret}@hooks.example/x`, []],
])('of the channel address %s: %j', (url, codes) => {
  const warnings = channelAddressWarnings({ alerts: [{ to: 'webhook', url }] })

  expect(warnings.map(({ code }) => code)).toEqual(codes)
  expect(JSON.stringify(warnings)).not.toContain('CANARY')
})
