import { expect, test } from 'vitest'
import { unitSettings } from '../../../shared/repository/unit-settings.ts'
import { timeRatio } from '../../support/time-ratio.ts'

test.each([
  ['ExecStart = /bin/a  b \t', '/bin/a  b'],
  ['ExecStart=', ''],
  ['ExecStart=a \\\n  b', 'a    b'],
  ['ExecStart=a\rb', 'a\rb'],
])('%j is read without the white space around its value', (text, value) => {
  expect(unitSettings(`[Service]\n${text}\n`)).toEqual([{ section: 'Service', key: 'ExecStart', value, line: 2 }])
})

test('blanks within a value cost no more than their number', () => {
  const read = (blanks: number) => () => void unitSettings(`[Service]\nEnvironment=a${' '.repeat(blanks)}b\n`)
  expect(timeRatio(read(20_000), read(80_000))).toBeLessThan(10)
})
