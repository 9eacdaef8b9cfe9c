// The documentation's table of limits says what the constants say. To write it again: print `rows().join('\n')`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Bound, bounds } from '../../../server/allowance/bounds.ts'

const install = readFileSync(join(import.meta.dirname, '../../../docs/install.md'), 'utf8')

test('docs/install.md has a row for each limit, and no other', () => {
  const table = install.slice(install.indexOf('| what | limit | for each | beyond it |')).split('\n\n')[0] ?? ''

  expect(table.split('\n').slice(2)).toEqual(rows())
})

function rows(): readonly string[] {
  return Object.values(bounds).map((bound: Bound) => {
    const { what, per, beyond } = bound
    return `| ${what} | ${limitText(bound)} | ${per} | ${beyond} |`
  })
}

function limitText({ limit, unit }: Bound): string {
  return unit === 'bytes' ? bytesText(limit) : limit.toLocaleString('en-US')
}

function bytesText(limit: number): string {
  const [mebibytes, kibibytes] = [limit / 1024 / 1024, limit / 1024]
  return mebibytes >= 1 ? `${mebibytes} MiB` : `${kibibytes} KiB`
}
