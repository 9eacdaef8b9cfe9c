// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates are tested.
// A secret arrives in a container or unit exactly as it is, or is refused with the way out.
import { expect, test } from 'vitest'
import { desire, type Files, secretsWith } from './fleet.ts'

const values: Readonly<Record<string, string>> = {
  plain: 'Abc123-_./+=',
  dollar: 'pa$$w$rd$HOME${X}',
  bcrypt: '$2y$10$abcdefghijklmnopqrstuv',
  hash: 'a #b',
  double: 'a"b',
  single: "it's",
  backslash: 'a\\nb\\',
  newline: 'one\ntwo',
  percent: '100%d',
  blank: ' a  b ',
  colon: 'a: b',
  number: '0123',
}

const all = Object.keys(values)

/** How a template has the value, and the names of the values that cannot stand there. */
const places: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['an environment file, bare', '.env', 'A=@', ['dollar', 'bcrypt', 'hash', 'newline', 'blank']],
  ['an environment file, quoted', '.env', "A='@'", ['single', 'backslash']],
  ['an environment file, double quotes', 'db.env', 'A="@"', ['dollar', 'bcrypt', 'double', 'backslash']],
  ['within a longer value', '.env', "A='postgres://u:@@db/x'", ['single']],
  [
    'a compose file, bare',
    'compose.yaml',
    'services: { a: { image: x, environment: { A: @ } } }',
    ['dollar', 'bcrypt', 'hash', 'newline', 'blank', 'colon', 'number'],
  ],
  [
    'a compose file, quoted',
    'compose.yaml',
    "services: { a: { image: x, environment: { A: '@' } } }",
    ['dollar', 'bcrypt', 'single', 'newline'],
  ],
  [
    'a unit, bare',
    'units/a.service',
    '[Service]\nEnvironment=A=@',
    ['hash', 'backslash', 'newline', 'percent', 'blank', 'colon'],
  ],
  ['a unit, quoted', 'units/a.service', '[Service]\nEnvironment="A=@"', ['double', 'backslash', 'newline', 'percent']],
  [
    'a command of a unit',
    'units/a.service',
    "[Service]\nExecStart=/bin/x '@'",
    ['dollar', 'bcrypt', 'single', 'backslash', 'newline', 'percent'],
  ],
]

test.each(places)('%s', async (_, path, text, inexact) => {
  const secrets = await secretsWith(values)
  const refused: string[] = []
  for (const name of all) {
    const isUnit = path.startsWith('units/')
    const key = isUnit ? '/etc/systemd/system/a.service' : path
    const { desired } = await desire(
      {
        ...(isUnit ? {} : { 'services/db/compose.yaml': 'services: {}\n' }),
        'services/db/service.yaml': `files: { ${key}: { template: true } }\n`,
        [`services/db/${path}`]: `${text.replace('@', `\${{ secrets.${name} }}`)}\n`,
      },
      { secrets },
    )
    const [problem] = desired.services[0]?.withheld?.problems ?? []
    if (problem === undefined) continue
    refused.push(name)
    expect(problem).toMatchObject({ code: 'validation-failed', where: { file: `services/db/${path}` }, service: 'db' })
    expect(problem.message).toContain(`the value of the secret "${name}" would not arrive as it is`)
    if (path === '.env')
      expect(problem.remedy).toMatch(/If it stands there already, the value has a single quote itself/)
    expect(JSON.stringify(problem)).not.toContain(JSON.stringify(values[name]).slice(1, -1))
  }
  expect(refused).toEqual(inexact)
})

const inBare = ['dollar', 'bcrypt', 'hash', 'newline', 'blank']
const compose = (said: string) => ({ 'services/db/compose.yaml': `services: { a: { image: x, env_file: ${said} } }\n` })
const unit = (said: string, name = 'units/app.service') => ({ [`services/db/${name}`]: `[Service]\n${said}\n` })
const onHost = { path: 'files/etc/app/settings', key: '/etc/app/settings' }
const beside = { path: 'conf/settings', key: 'conf/settings' }

/** Who names the file, where it is, how it has the value, and the names of the values that cannot stand there. */
const named: readonly (readonly [string, Files, typeof onHost, string, readonly string[]])[] = [
  [
    'EnvironmentFile=, bare',
    unit('EnvironmentFile=/etc/app/settings'),
    onHost,
    'A=@',
    ['backslash', 'newline', 'blank'],
  ],
  ['EnvironmentFile=, quoted', unit('EnvironmentFile=-/etc/app/settings'), onHost, "A='@'", ['single']],
  ['EnvironmentFile=, double quotes', unit('EnvironmentFile=/etc/%p/*'), onHost, 'A="@"', ['double', 'backslash']],
  [
    'a drop-in of another service',
    { ...unit('EnvironmentFile=/etc/app/settings', 'units/x.service.d/a.conf') },
    onHost,
    'A=x@',
    ['backslash', 'newline', 'blank'],
  ],
  [
    'a quadlet, read by podman',
    { 'services/db/files/etc/containers/systemd/a.container': '[Container]\nEnvironmentFile=/etc/app/settings\n' },
    onHost,
    'A=@',
    ['newline'],
  ],
  ['env_file, one', compose('conf/settings'), beside, 'A=@', inBare],
  ['env_file, a list', compose('[./conf/settings]'), beside, 'A=@', inBare],
  ['env_file, a map', compose('[{ path: conf/settings, required: false }]'), beside, 'A=@', inBare],
  ['env_file, on the host', compose('[/etc/app/settings]'), onHost, 'A=@', inBare],
  ['env_file, raw', compose('[{ path: conf/settings, format: raw }]'), beside, 'A=@', ['newline']],
  [
    '.env of a project, read by a unit too',
    { ...compose('[]'), ...unit('EnvironmentFile=/srv/compose/db/.env', 'files/etc/systemd/system/a.service') },
    { path: '.env', key: '.env' },
    'A=@',
    ['dollar', 'bcrypt', 'hash', 'backslash', 'newline', 'blank'],
  ],
  ['nobody', unit('EnvironmentFile=/etc/app/other'), onHost, 'A=@', []],
]

test.each(named)('a file named by %s', async (_, context, { path, key }, text, inexact) => {
  const secrets = await secretsWith(values)
  const refused: string[] = []
  for (const name of all) {
    const { desired } = await desire(
      {
        ...context,
        'services/db/service.yaml': `files: { ${key}: { template: true } }\n`,
        [`services/db/${path}`]: `${text.replace('@', `\${{ secrets.${name} }}`)}\n`,
      },
      { secrets },
    )
    const [problem] = desired.services[0]?.withheld?.problems ?? []
    if (problem === undefined) continue
    refused.push(name)
    expect(problem).toMatchObject({ code: 'validation-failed', where: { file: `services/db/${path}` } })
    expect(problem.remedy).toBeDefined()
  }
  expect(refused).toEqual(inexact)
})

test('a variable of plumb.yaml in an environment file is a value too', async () => {
  const files = (text: string) => ({
    'plumb.yaml': `version: 1\nhosts: { web-1: { services: [db], vars: { greeting: 'a $X b' } } }\n`,
    'services/db/compose.yaml': 'services: {}\n',
    'services/db/service.yaml': 'files: { .env: { template: true } }\n',
    'services/db/.env': text,
  })
  const bare = await desire(files('A=${{ vars.greeting }}\n'))
  const quoted = await desire(files("A='${{ vars.greeting }}'\n"))

  expect(bare.desired.services[0]?.withheld?.problems[0]?.message).toContain('the variable "greeting"')
  expect(quoted.desired.services[0]).not.toHaveProperty('withheld')
})

test('what nobody reads as syntax takes any value', async () => {
  const { desired } = await desire(
    {
      'services/db/service.yaml': 'files: { /etc/db.conf: { template: true } }\n',
      'services/db/files/etc/db.conf': all.map((name) => `\${{ secrets.${name} }}\n`).join(''),
    },
    { secrets: await secretsWith(values) },
  )
  expect(desired.services[0]).not.toHaveProperty('withheld')
})
