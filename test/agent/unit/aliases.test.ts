// Units named by an alias, as systemd 252 on Debian 12 speaks of them: `is-enabled` says `alias`, whatever the unit behind it is.
import { expect, test } from 'vitest'
import { unitStatuses } from '../../../agent/host/systemd.ts'
import { unitAttributes } from '../../../agent/resources/unit-state.ts'
import type { Run } from '../../../shared/command.ts'

type Alias = { readonly of: string }
type Enablement = 'enabled' | 'disabled' | 'static' | 'masked' | 'enabled-runtime'

/** Units by name, aliases among them. */
function systemctl(units: Readonly<Record<string, Enablement | Alias>>): Run {
  const idOf = (name: string) => {
    const unit = units[name]
    return typeof unit === 'object' ? unit.of : name
  }
  const say = (name: string) => {
    const unit = units[name]
    return typeof unit === 'object' ? 'alias' : (unit ?? 'not-found')
  }
  return async ({ args }) => {
    const names = args.slice(args.indexOf('--') + 1)
    const lines = args.includes('show')
      ? names.map((name) => `Id=${idOf(name)}\nLoadState=loaded\nActiveState=active\nSubState=running\n`)
      : names.map(say)
    return { code: 0, stdout: `${lines.join('\n')}\n`, stderr: '' }
  }
}

async function enabledOf(name: string, units: Readonly<Record<string, Enablement | Alias>>) {
  const status = (await unitStatuses([name, 'other.service'], systemctl({ ...units, 'other.service': 'enabled' }))).get(
    name,
  )
  return status && unitAttributes(status)['enabled']
}

test.each([
  ['disabled', 'no'],
  ['enabled', 'yes'],
  ['enabled-runtime', 'until reboot'],
  ['static', 'static'],
  ['masked', 'masked'],
] as const)('an alias of a unit that is %s reads as %s', async (enablement, expected) => {
  const units = { 'mysql.service': { of: 'mariadb.service' }, 'mariadb.service': enablement }
  expect(await enabledOf('mysql.service', units)).toBe(expected)
})

test('the unit and its alias read alike beside each other', async () => {
  const units = { 'mysql.service': { of: 'mariadb.service' }, 'mariadb.service': 'disabled' } as const
  const statuses = await unitStatuses(['mariadb.service', 'mysql.service'], systemctl(units))
  expect([...statuses.values()].map(({ enablement }) => enablement)).toEqual(['disabled', 'disabled'])
})
