import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDocument } from '../../../agent/document/read.ts'
import { fleetYamlLimits } from '../../../shared/repository/fleet.ts'
import { parseInTurns, parseRepository } from '../../../shared/repository/parse.ts'
import { readServiceFile } from '../../../shared/repository/read-service.ts'
import { serviceYamlLimits } from '../../../shared/repository/service.ts'
import { readYaml } from '../../../shared/repository/yaml.ts'
import { yamlCost } from '../../../shared/repository/yaml-cost.ts'
import { timeRatio } from '../../support/time-ratio.ts'
import { fleetOf, linesOf } from './tree.ts'

describe('a text that would stall its reader is refused before it is parsed', () => {
  test.each([
    ['brackets without end', '['.repeat(200_000), /^is nested too deeply/],
    ['braces in lines', 'a: {\n'.repeat(100_000), /^is nested too deeply/],
    ['lists in one line', `${'- '.repeat(50_000)}x`, /^is nested too deeply/],
    ['keys of keys', '? '.repeat(50_000), /^is nested too deeply/],
    ['commas', `[${','.repeat(200_000)}]`, /more brackets, colons, commas and lines than are read/],
    ['closing brackets', ']'.repeat(200_000), /more brackets/],
    ['anchors', '- &a x\n'.repeat(70_000), /more brackets/],
    ['aliases', `- &a x\n${'- *a\n'.repeat(70_000)}`, /more brackets/],
    ['comments', '#\n'.repeat(200_000), /more brackets/],
    ['documents', '---\n'.repeat(100_000), /more brackets/],
  ])('%s', (_, text, expected) => {
    const { value, problems } = readYaml('services/a/service.yaml', text, serviceYamlLimits)

    expect(value).toBeUndefined()
    expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(expected)])
  })

  test('with the place where it goes too deep', () => {
    const { problems } = readYaml('x', `a: 1\nb: ${'['.repeat(2000)}`, serviceYamlLimits)

    expect(problems[0]?.where).toEqual({ file: 'x', line: 2, column: 1004 })
  })

  test('also as a file that is compared by what it says', () => {
    const read = (text: string) => readDocument('yaml', Buffer.from(text)).kind

    expect([read('['.repeat(5000)), read('- a\n'.repeat(250_000)), read('a: [1, 2]')]).toEqual([
      'too-much',
      'too-much',
      'read',
    ])
  })
})

describe('what people write is within the limits', () => {
  test('20,000 hosts with services and variables', () => {
    const hosts = Array.from(
      { length: 20_000 },
      (_, n) => `  web-${n}: { services: [base, web], vars: { rack: "r${n}" } }\n`,
    )
    const { steps, tooDeepAt } = yamlCost(`version: 1\nhosts:\n${hosts.join('')}`)

    expect(tooDeepAt).toBeUndefined()
    expect(steps).toBeLessThan(fleetYamlLimits.steps)
  })

  test.each([
    ['a rule of dashes', `# ${'-'.repeat(3000)}\nsettle: 5s\n`],
    ['brackets in a text', `checks:\n  - run: |\n      ${'[ -e x ] && { echo; }; '.repeat(150)}\n`],
    [
      'a map per line',
      `files:\n${Array.from({ length: 2000 }, (_, n) => `  /etc/f${n}: { mode: "0644" }\n`).join('')}`,
    ],
  ])('%s', (_, text) => {
    expect(readServiceFile('services/a/service.yaml', text).problems).toEqual([])
  })
})

describe('the service.yaml of a revision have one budget', () => {
  const large = `${'#\n'.repeat(45_000)}settle: 5s\n`
  const fleet = (count: number) =>
    fleetOf(Object.fromEntries(Array.from({ length: count }, (_, n) => [`services/s${n}/service.yaml`, large])))

  test('and the one with which it is spent is named, once', () => {
    expect(linesOf(fleet(10))).toEqual([])
    expect(linesOf(fleet(40))).toEqual([
      expect.stringMatching(/^services\/s\d+\/service.yaml: with this one, the YAML of all services/),
    ])
  })

  test('and others get a turn while they are read', async () => {
    let turns = 0
    const parsed = await parseInTurns(fleet(10), async () => {
      turns += 1
    })

    expect(turns).toBeGreaterThan(9)
    expect([...parsed.repository.services.keys()]).toEqual([...parseRepository(fleet(10)).repository.services.keys()])
  })
})

describe('four times the text takes no more than some four times the time', () => {
  const pieces = [
    '[',
    ']',
    '{',
    '}',
    ',',
    ': ',
    '- ',
    '? ',
    '&a ',
    '*a ',
    '!t ',
    '# c\n',
    '\n',
    '  ',
    '"',
    "'",
    '|\n',
    '>\n',
    '%',
    '@',
    'k',
    'a: b\n',
    '\t',
    '---\n',
    '\\n',
    '0x1',
    '<<: ',
  ]
  const hostile = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
  const readOf = (unit: string, characters: number) => () => {
    const text = unit.repeat(Math.ceil(characters / unit.length))
    readServiceFile('services/a/service.yaml', text)
    readServiceFile('services/a/service.yaml', `files:\n  /etc/x: ${text}`)
  }

  test('whatever is repeated', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(hostile, (unit) => {
        expect(timeRatio(readOf(unit, 4000), readOf(unit, 16_000))).toBeLessThan(10)
      }),
      { numRuns: 15 },
    )
  })

  test.each([
    ['unknown keys', (n: number) => `k${n}: 1\n`, ''],
    ['wrong values', (n: number) => `  /etc/f${n}: { mode: 420 }\n`, 'files:\n'],
    ['wrong keys', (n: number) => `  /etc/f${n}: { mdoe: "0644" }\n`, 'files:\n'],
    ['wrong rules', (n: number) => `  /etc/f${n}: { compare: { json: { ignore: [1], x: 2 } } }\n`, 'files:\n'],
  ])('%s', { timeout: 120_000 }, (_, line, head) => {
    const read = (count: number) => () => {
      const lines = Array.from({ length: count }, (_, n) => line(n))
      readServiceFile('services/a/service.yaml', head + lines.join(''))
    }

    expect(timeRatio(read(300), read(1200))).toBeLessThan(10)
  })
})
