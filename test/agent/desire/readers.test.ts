// What projects and units read of other services: a change reaches them in the same apply, and after the file.
import { expect, test } from 'vitest'
import { meantBy } from '../../../agent/desire/named-paths.ts'
import { desire, type Files, ofKind, secretsWith } from './fleet.ts'

/** Listed the wrong way round: the reader first. */
const plumb = (services = 'app, common') => ({
  'plumb.yaml': `version: 1\nhosts: { web-1: { services: [${services}] } }\n`,
})
const common = (text: string) => ({ 'services/common/files/etc/shop/common.env': text })

async function servicesOf(files: Files) {
  const { desired } = await desire({ ...plumb(), ...files })
  return desired.services
}

async function projectOf(files: Files) {
  const app = (await servicesOf(files)).find(({ name }) => name === 'app')
  const [project] = app === undefined ? [] : ofKind('compose', app)
  if (app === undefined || project === undefined) throw new Error('no project')
  return { app, project }
}

const readings: readonly (readonly [string, Files])[] = [
  ['env_file', { 'services/app/compose.yaml': 'services: { a: { image: x, env_file: [/etc/shop/common.env] } }\n' }],
  [
    'a mount of the file',
    { 'services/app/compose.yaml': 'services:\n  a:\n    volumes:\n    - /etc/shop/common.env:/x:ro\n' },
  ],
  ['a mount of its directory', { 'services/app/compose.yaml': 'services: { a: { volumes: ["/etc/shop:/shop"] } }\n' }],
  [
    'a mount in the long form',
    { 'services/app/compose.yaml': 'services:\n  a:\n    volumes:\n    - type: bind\n      source: /etc/shop\n' },
  ],
  ['a config', { 'services/app/compose.yaml': 'configs: { c: { file: /etc/shop/common.env } }\n' }],
  [
    'a path outside its directory',
    { 'services/app/compose.yaml': 'services: { a: { env_file: ../../../../../etc/shop/common.env } }\n' },
  ],
  [
    'a variable of .env',
    {
      'services/app/compose.yaml': `services: { a: { env_file: "\${DIR}/common.env" } }\n`,
      'services/app/.env': 'DIR=/etc/shop\n',
    },
  ],
  [
    'a file that it includes',
    {
      'services/app/compose.yaml': 'include: [more.yml]\n',
      'services/app/more.yml': 'services: { a: { env_file: /etc/shop/common.env } }\n',
    },
  ],
]

test.each(readings)(
  'a project that reads the file of another service by %s changes with it, and comes after it',
  async (_, app) => {
    const before = await projectOf({ ...common('A=1\n'), ...app })
    const after = await projectOf({ ...common('A=2\n'), ...app })

    expect(after.project.sha256).not.toBe(before.project.sha256)
    expect(after.project.files.map(({ path }) => path)).toContain('/etc/shop/common.env')
    expect(after.app.after).toEqual(['common'])
    expect((await servicesOf({ ...common('A=1\n'), ...app })).map(({ name }) => name)).toEqual(['common', 'app'])
  },
)

const strangers: readonly (readonly [string, Files])[] = [
  ['names another file', { 'services/app/compose.yaml': 'services: { a: { env_file: /etc/shop/common.env.bak } }\n' }],
  [
    'looks at all of /etc',
    { 'services/app/compose.yaml': 'services: { a: { volumes: ["/etc:/host/etc:ro", "/:/host:ro"] } }\n' },
  ],
  [
    'mounts a directory beside it',
    { 'services/app/compose.yaml': 'services: { a: { volumes: ["/etc/shopping:/x"] } }\n' },
  ],
]

test.each(strangers)('a project that %s is none of its readers', async (_, app) => {
  const before = await projectOf({ ...common('A=1\n'), ...app })
  const after = await projectOf({ ...common('A=2\n'), ...app })

  expect(after.project.sha256).toBe(before.project.sha256)
  expect(after.app.after).toEqual([])
})

test('two projects that read of each other keep an order, and one that is before by its own word stays there', async () => {
  const files = {
    'services/app/compose.yaml': 'services: { a: { env_file: /etc/shop/common.env } }\n',
    'services/app/files/etc/app/own.env': 'B=1\n',
    'services/common/compose.yaml': 'services: { a: { env_file: /etc/app/own.env } }\n',
    ...common('A=1\n'),
  }
  const each = await servicesOf(files)
  expect(each.map(({ name, after }) => [name, after])).toEqual([
    ['common', []],
    ['app', ['common']],
  ])
  const declared = await servicesOf({ ...files, 'services/common/service.yaml': 'after: [app]\n' })
  expect(declared.map(({ name, after }) => [name, after])).toEqual([
    ['app', []],
    ['common', ['app']],
  ])
})

test('a project that reads what this host cannot render is withheld with the reason', async () => {
  const { desired } = await desire(
    {
      ...plumb(),
      ...common(`P=\${{ secrets.db }}\n`),
      'services/common/service.yaml': 'files: { /etc/shop/common.env: { template: true } }\n',
      'services/app/compose.yaml': 'services: { a: { env_file: /etc/shop/common.env } }\n',
    },
    { secrets: await secretsWith({}) },
  )

  expect(desired.services.map(({ name, withheld }) => [name, withheld?.resources.map(({ id }) => id)])).toEqual([
    ['common', ['file:/etc/shop/common.env']],
    ['app', ['compose:app']],
  ])
  expect(desired.services[1]?.withheld?.problems).toMatchObject([{ code: 'secret-missing', service: 'app' }])
})

const unitLines: readonly (readonly [string, string])[] = [
  ['EnvironmentFile', 'EnvironmentFile=-/etc/shop/common.env'],
  ['a pattern', 'EnvironmentFile=/etc/shop/*.env'],
  ['a specifier', 'EnvironmentFile=/etc/%p/common.env'],
  ['its program', 'ExecStart=-/etc/shop/common.env --flag'],
  ['a credential', 'LoadCredential=env:/etc/shop/common.env'],
  ['a directory of credentials', 'LoadCredential=all:/etc/shop'],
  ['a continued line', 'ExecStart= \\\n  /etc/shop/common.env'],
  ['an argument of an interpreter', 'ExecStart=/bin/sh /etc/shop/common.env'],
  ['an option', 'ExecStartPre=/usr/bin/check --config=/etc/shop/common.env'],
  ['standard input', 'StandardInput=file:/etc/shop/common.env'],
  ['a mount', 'BindReadOnlyPaths=-/etc/shop/common.env:/run/x /usr'],
  ['a mount of its directory', 'BindPaths=/usr /etc/shop:/run/shop'],
]

test.each(unitLines)(
  'a unit that reads the file of another service by %s is restarted by its change',
  async (_, line) => {
    const services = await servicesOf({
      ...common('A=1\n'),
      'services/app/units/shop.service': `[Service]\nExecStart=/usr/bin/shop\n${line}\n`,
    })

    expect(services[0]).toMatchObject({ name: 'common', triggers: [restartOf('shop.service')] })
    expect(services[1]).toMatchObject({ name: 'app', after: ['common'] })
  },
)

const readers: readonly (readonly [string, Files, string])[] = [
  [
    'a drop-in',
    { 'services/app/units/nginx.service.d/env.conf': '[Service]\nEnvironmentFile=/etc/shop/common.env\n' },
    'nginx.service',
  ],
  [
    'a quadlet',
    { 'services/app/files/etc/containers/systemd/shop.container': '[Container]\nVolume=/etc/shop:/etc/shop:ro\n' },
    'shop.service',
  ],
  [
    'an instance of a template unit',
    {
      'services/app/units/shop@.service': '[Service]\nEnvironmentFile=/etc/shop/%i.env\n',
      'services/app/service.yaml': 'units: { shop@common.service: {} }\n',
    },
    'shop@common.service',
  ],
]

const quadletLines = [
  'Mount=type=bind,source=/etc/shop/common.env,destination=/x',
  'Mount=type=bind,dst=/x,src=/etc/shop,ro',
  'PodmanArgs=--env-file /etc/shop/common.env',
  'PodmanArgs=--label a=b --env-file=/etc/shop/common.env',
  'EnvironmentFile=../../shop/common.env',
  'Exec=serve --config /etc/shop/common.env',
]
test.each(quadletLines)('a quadlet reads the file of another service by %s', async (line) => {
  const quadlet = { 'services/app/files/etc/containers/systemd/shop.container': `[Container]\n${line}\n` }
  const [first] = await servicesOf({ ...common('A=1\n'), ...quadlet })
  expect(first).toMatchObject({ name: 'common', triggers: [restartOf('shop.service')] })
})

test('an argument that is a directory is not what is below it', async () => {
  const unit = { 'services/app/units/shop.service': '[Service]\nExecStart=/usr/bin/serve /etc/shop\n' }
  expect((await servicesOf({ ...common('A=1\n'), ...unit })).flatMap(({ triggers }) => triggers)).not.toContainEqual(
    restartOf('shop.service'),
  )
})

const links: readonly (readonly [string, Files, string])[] = [
  ['a link', { 'services/common/files/etc/link.env': { link: 'shop/common.env' } }, '/etc/link.env'],
  [
    'a link to a link of another service',
    {
      'services/common/files/etc/link.env': { link: '/etc/other.env' },
      'services/app/files/etc/other.env': { link: 'shop/common.env' },
    },
    '/etc/link.env',
  ],
  ['a link on the way', { 'services/common/files/etc/dir': { link: 'shop' } }, '/etc/dir/common.env'],
  [
    'links in a circle beside it',
    {
      'services/common/files/etc/dir': { link: 'shop' },
      'services/common/files/etc/a': { link: 'b' },
      'services/common/files/etc/b': { link: 'a' },
    },
    '/etc/a/x /etc/dir/common.env',
  ],
]

test.each(links)('%s of the repository is followed by units and projects', async (_, more, path) => {
  const named = path.split(' ')
  const unit = named.map((one) => `EnvironmentFile=${one}\n`).join('')
  const units = await servicesOf({
    ...common('A=1\n'),
    ...more,
    'services/app/units/shop.service': `[Service]\nExecStart=/usr/bin/shop\n${unit}`,
  })
  expect(units.find(({ name }) => name === 'common')?.triggers).toContainEqual(
    expect.objectContaining(restartOf('shop.service', expect.arrayContaining(['file:/etc/shop/common.env']))),
  )
  const files = {
    ...more,
    'services/app/compose.yaml': `services: { a: { image: x, env_file: [${named.join(', ')}] } }\n`,
  }
  const { project } = await projectOf({ ...common('A=1\n'), ...files })
  expect(project.files.map((file) => file.path)).toContain('/etc/shop/common.env')
})

test.each(readers)('%s of another service is a reader too', async (_, app, unit) => {
  const [first] = await servicesOf({ ...common('A=1\n'), ...app })

  expect(first).toMatchObject({ name: 'common', triggers: [restartOf(unit)] })
})

test('within one service the same holds, unless the file has triggers of its own; a job takes it at its next run', async () => {
  const own = {
    ...plumb('shop'),
    'services/shop/files/etc/shop/common.env': 'A=1\n',
    'services/shop/units/shop.service': '[Service]\nEnvironmentFile=/etc/shop/common.env\n',
  }
  const triggersOf = async (files: Files) => (await servicesOf({ ...own, ...files }))[0]?.triggers

  expect(await triggersOf({})).toContainEqual(
    restartOf('shop.service', expect.arrayContaining(['file:/etc/shop/common.env'])),
  )
  const settings = 'files: { /etc/shop/common.env: { triggers: [reload shop.service] } }\n'
  expect(await triggersOf({ 'services/shop/service.yaml': settings })).toContainEqual({
    on: ['file:/etc/shop/common.env'],
    action: { kind: 'reload', unit: 'shop.service' },
  })
  expect(await triggersOf({ 'services/shop/units/shop.timer': '[Timer]\nOnCalendar=daily\n' })).not.toContainEqual(
    restartOf('shop.service', expect.anything()),
  )
})

test('of sorted paths a name means itself and what is below it, not what begins alike', () => {
  const sorted = ['/a', '/a-b', '/a/b', '/a/b/c', '/a0', '/ab', '/b']

  expect(meantBy({ path: '/a', isExact: false }, sorted)).toEqual(['/a', '/a/b', '/a/b/c'])
  expect(meantBy({ path: '/a', isExact: true }, sorted)).toEqual(['/a'])
  expect(meantBy({ path: '/a/*', isExact: false }, sorted)).toEqual(['/a/b'])
  expect(meantBy({ path: '/c', isExact: false }, sorted)).toEqual([])
})

function restartOf(unit: string, on: unknown = ['file:/etc/shop/common.env']) {
  return { on, action: { kind: 'restart', unit } }
}
