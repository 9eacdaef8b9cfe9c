import { describe, expect, test } from 'vitest'
import { problemLine } from '../../../shared/problem.ts'
import { readServiceFile } from '../../../shared/repository/read-service.ts'
import { linesOf, treeOf } from './tree.ts'

const values = [
  '0',
  '1',
  '5',
  '60',
  '420',
  '0420',
  '493',
  '0644',
  '644',
  '1.10',
  '0o644',
  '0o17',
  '0x1a4',
  '1e3',
  '.5',
  '-1',
  'true',
  'false',
  '99999',
  '1000000000000',
]

const places: readonly (readonly [where: string, text: (value: string) => string])[] = [
  ['the mode of a file', (value) => `files: { /etc/x: { mode: ${value} } }`],
  ['the mode of a directory', (value) => `directories: { /srv/x: { mode: ${value} } }`],
  ['an owner', (value) => `files: { /etc/x: { owner: ${value} } }`],
  ['a group', (value) => `directories: { /srv/x: { group: ${value} } }`],
  ['a version', (value) => `packages: [{ name: a, version: ${value} }]`],
  ['a package', (value) => `packages: [${value}]`],
  ['a time', (value) => `settle: ${value}`],
  ['a command', (value) => `validate: [{ run: ${value} }]`],
  ['a policy', (value) => `onDrift: ${value}`],
  ['a reason', (value) => `onDrift: { ignore: ${value} }`],
  ['a service', (value) => `after: [${value}]`],
]

describe('what a remedy proposes is read as it stands there', () => {
  test.each(places)('%s', (_, textOf) => {
    for (const value of values) {
      const text = textOf(value)
      for (const { where, remedy } of readServiceFile('service.yaml', text).problems) {
        const proposed = /(?:Put it in quotes|Write it so): (?:[\w-]+: )?(?<value>"[^"]*")\.$/.exec(remedy ?? '')
          ?.groups?.['value']
        if (proposed === undefined) {
          expect(remedy ?? '', text).not.toMatch(/"/)
          continue
        }
        const after = readServiceFile('service.yaml', textOf(proposed)).problems
        expect(
          after.filter((problem) => problem.where?.key === where?.key).map(problemLine),
          `${text} -> ${proposed}`,
        ).toEqual([])
      }
    }
  })
})

test.each([
  ['420', '0644'],
  ['493', '0755'],
  ['384', '0600'],
  ['416', '0640'],
  ['1023', '01777'],
  ['0644', '0644'],
  ['644', '644'],
  ['755', '755'],
  ['1777', '1777'],
  ['0o640', '0640'],
  ['0x1ed', '0755'],
])('permissions written as %s are %s', (written, meant) => {
  const { problems } = readServiceFile('service.yaml', `files: { /etc/x: { mode: ${written} } }`)

  expect(problems.map(({ remedy }) => remedy)).toEqual([expect.stringContaining(`mode: "${meant}".`)])
})

test('a duration without its unit is proposed with one', () => {
  const fleet = 'version: 1\ndefaults: { syncEvery: 60 }\n'

  expect(linesOf(treeOf({ 'plumb.yaml': fleet }))).toEqual([expect.stringContaining('Write it so: syncEvery: "60s".')])
})

test('a key that is there already is named as there, and not proposed', () => {
  const proposed = (text: string) => readServiceFile('service.yaml', text).problems.map(({ remedy = '' }) => remedy)

  expect(proposed('files: { /etc/x: { mdoe: "0644" } }')).toEqual([expect.stringContaining('"mode"')])
  expect(proposed('files: { /etc/x: { mode: "0644", mdoe: "0644" } }')).toEqual([
    'Did you mean "mode", which is set already? Merge the two.',
  ])
})

test('the known keys are all of them, also those that are set', () => {
  const [problem] = readServiceFile('service.yaml', 'after: [b]\nzzzzzzzz: 1\n').problems

  expect(problem?.remedy).toMatch(/^Known keys: .*\bafter\b/)
})
