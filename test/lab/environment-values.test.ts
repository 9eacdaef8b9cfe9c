// Files of environment variables under a real systemd: what the agent works out of quotes and escapes is what programs get.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates are tested.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { readUnitEnvironment } from '../../shared/repository/unit-environment.ts'
import { FleetHost } from './fleet-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`values of units cannot be shown here: ${reason}`)

const values = [
  ...['plain', 'a b', ' a ', 'a  b ', '', '#a', 'a #b', ';a', 'a;b', '$HOME', 'p$w$$X{x}', '${A}', '%h%%', '`x`'],
  ...["it's", 'a"b', '"', "'", 'a\\b', 'a\\nb', 'end\\', '\\', '\\"', "\\'", 'one\ntwo', 'one\n\ntwo\n', 'tab\tx'],
  ...['a=b', '=', 'é ü', '\u2028', 'a\rb', 'a\x1bb', 'a\x7fb', "''", '""', "a'b'c", '"a" b', "'a' 'b'", 'a\\\nb'],
]
const forms = [
  ...[(value: string) => value, (value: string) => `'${value}'`, (value: string) => `"${value}"`],
  ...[(value: string) => `  ${value}  `, (value: string) => `pre${value}`, (value: string) => `'${value}'post`],
  (value: string) => `'x' "${value}" y`,
]
const whole = [
  '# A=comment\nA=1\n; B=2\n  # C=3\nD=4',
  '# goes on \\\nA=1\nB=2',
  'export A=1\nB =2\nC= 3\n1D=4\nE-F=5\n G=6\nnothing\nH=7',
  'A=1\r\nB=2\r\n',
  'A=1\nA=2\n',
  'A="open\nB=2\n',
  "A='open\nB=2\n",
  'A=1 \\\n  2\nB=3',
  'A=x\nA=a\x1bb\n',
]

describe.skipIf(reason !== null)('on a booted Debian 12', () => {
  let lab: Lab
  let box: LabHost
  let fleet: FleetHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await lab.host('environment', 'bookworm')
    fleet = new FleetHost(box)
  })
  afterAll(() => {
    fleet?.close()
    lab?.close()
  })

  async function got(files: readonly string[]): Promise<readonly ReadonlyMap<string, string>[]> {
    await Promise.all(files.map((text, index) => box.write(`/root/env/${index}`, text)))
    const run = (index: number) =>
      `systemd-run --quiet --wait --pipe -p EnvironmentFile=/root/env/${index} env -0 | base64 -w0; echo`
    const script = files.map((_, index) => run(index)).join('\n')
    const lines = (await box.output(['sh', '-c', script])).trim().split('\n')
    return lines.map((line) => {
      const entries = Buffer.from(line, 'base64').toString().split('\0')
      return new Map(
        entries
          .filter((one) => one !== '')
          .map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
      )
    })
  }

  test('each value in each form, one variable a line', { timeout: 300_000 }, async () => {
    // A value that swallows the next lines would hide them: each stands between two that are looked for, too.
    const texts = values.map((value) => forms.map((form, index) => `A${index}=${form(value)}\nB${index}=after\n`))
    const files = texts.flat()
    const real = await got(files)
    for (const [index, text] of files.entries()) {
      const read = readUnitEnvironment(text)
      const names = [`A${index % forms.length}`, `B${index % forms.length}`]
      expect({ text, got: names.map((name) => read.get(name)) }).toEqual({
        text,
        got: names.map((name) => real[index]?.get(name)),
      })
    }
  })

  test('comments, names, line ends and open quotes', async () => {
    const real = await got(whole)
    for (const [index, text] of whole.entries()) {
      const names = ['A', 'B', 'C', 'D', 'E-F', 'G', 'H', '1D', 'export A']
      const read = readUnitEnvironment(text)
      expect({ text, got: names.map((name) => read.get(name)) }).toEqual({
        text,
        got: names.map((name) => real[index]?.get(name)),
      })
    }
  })

  test('a variable of plumb.yaml arrives in a unit as it is', async () => {
    const value = 'p$w$$X{"#; \\n%s & é  '
    const files = {
      'plumb.yaml': `version: 1\nhosts: { web-1: { services: [a], vars: { value: ${JSON.stringify(value)} } } }\n`,
      'services/a/files/etc/a/settings': "VALUE='${{ vars.value }}'\n",
      'services/a/units/a.service':
        '[Service]\nType=oneshot\nRemainAfterExit=yes\nEnvironmentFile=/etc/a/settings\nExecStart=/bin/sh -c \'printf %%s "$$VALUE" > /run/a-value\'\n[Install]\nWantedBy=multi-user.target\n',
      'services/a/service.yaml': 'files: { /etc/a/settings: { template: true } }\n',
    }
    expect((await fleet.apply(files)).failures).toEqual([])
    expect(await box.output(['cat', '/run/a-value'])).toBe(value)
  })
})
