// What a compose project is called and where it is, and what of both two services cannot share.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of compose files are tested.
import { describe, expect, test } from 'vitest'
import { projectName } from '../../../shared/repository/compose-project.ts'
import { timeRatio } from '../../support/time-ratio.ts'
import { fleetOf, linesOf } from './tree.ts'

describe('the name of a project', () => {
  const named = (composeFile: string, more: { readonly environment?: string; readonly project?: string } = {}) =>
    projectName({ service: 'App', project: undefined, environment: undefined, ...more, composeFile })

  const unnamed = { service: 'App', project: undefined, environment: undefined, composeFile: '' }

  test.each([
    ['services: {}\n', 'app', 'service'],
    ['name: vault\nservices: {}\n', 'vault', 'compose file'],
    ['# name: other\nservices: {}\nname: "vault"\n', 'vault', 'compose file'],
    ["name: 'vault' # as ever\n", 'vault', 'compose file'],
    ['name: vault # as ever\n', 'vault', 'compose file'],
    ['"name": vault\n', 'vault', 'compose file'],
    ['name: ${STACK:-vault}\n', 'vault', 'compose file'],
    ['services:\n  name: other\n', 'app', 'service'],
    ['services:\n  a:\n    command: |\n      name: other\n', 'app', 'service'],
    ['name:\n', 'app', 'service'],
    ['{ "services": {}, "name": "vault" }\n', 'vault', 'compose file'],
    ['# made by a program\n{\n  "name": "vault"\n}\n', 'vault', 'compose file'],
    ['--- {name: vault}\n', 'vault', 'compose file'],
    ['---\n{name: vault}\n', 'vault', 'compose file'],
    ['  name: vault\n  services: {}\n', 'vault', 'compose file'],
    ['name: &project vault\n', 'vault', 'compose file'],
    ['name: !!str vault\n', 'vault', 'compose file'],
    ['name: >-\n  vault\n', 'vault', 'compose file'],
    ['name:\n  vault\n', 'vault', 'compose file'],
    ['name: "v\\u0061ult"\n', 'vault', 'compose file'],
    ['? name\n: vault\n', 'vault', 'compose file'],
    ['\uFEFFname: vault\r\n', 'vault', 'compose file'],
    ['{ "services": { "a": { "container_name": "name" } } }\n', 'app', 'service'],
    ['name: [\n', 'app', 'service'],
  ])('%j is %s', (text, name, from) => {
    expect(named(text)).toEqual({ name, from })
  })

  test.each(['a', '"a"', "'a'"])('%s and blanks are read in a time that grows with their number', (start) => {
    const read = (length: number) => () => named(`name: ${start}${' '.repeat(length)}b\n`)
    expect(timeRatio(read(10_000), read(40_000))).toBeLessThan(10)
  })

  test('service.yaml decides, then .env, then the compose file', () => {
    const environment = 'COMPOSE_PROJECT_NAME=shop\nSTACK=stack\n'
    expect(named('name: vault\n', { environment, project: 'mine' })).toEqual({ name: 'mine', from: 'service.yaml' })
    expect(named('name: vault\n', { environment })).toEqual({ name: 'shop', from: '.env' })
    expect(named('name: a-${STACK}\n', { environment: 'STACK=b\n' })).toEqual({ name: 'a-b', from: 'compose file' })
  })

  test.each([['name: ${STACK}\n'], ['name: Vault\n'], ['name: my stack\n'], ['name: -x\n']])('%j is none', (text) => {
    expect(named(text).fault).toBeDefined()
  })

  test('of several files the last one that has a name decides', () => {
    expect(projectName({ ...unnamed, overrides: ['name: one\n', 'name: two\n', 'services: {}\n'] }).name).toBe('two')
    expect(projectName({ ...unnamed, overrides: ['services: {}\n', ''] }).name).toBe('app')
  })

  test('what compose makes of a name with other characters is proposed', () => {
    expect(named('name: My Vault\n')).toMatchObject({ name: 'My Vault', fitting: 'myvault' })
    expect(linesOf(fleetOf({ 'services/a/compose.yaml': 'name: My_Vault\n' }))).toEqual([
      expect.stringContaining('compose: { project: my_vault }'),
    ])
  })
})

describe('in a repository', () => {
  const lines = (files: Readonly<Record<string, string>>) =>
    linesOf(fleetOf(Object.fromEntries(Object.entries(files).map(([path, text]) => [`services/${path}`, text]))))

  test('two services of a host cannot have the same project, however it is named', () => {
    expect(lines({ 'one/compose.yaml': 'name: shop\n', 'two/compose.yaml': 'name: shop\n' })).toEqual([
      expect.stringContaining('compose project shop is claimed by the services "one" and "two"'),
    ])
    expect(lines({ 'one/compose.yaml': '', 'two/compose.yaml': 'name: one\n' })).toHaveLength(1)
    const said = { 'two/service.yaml': 'compose: { project: one }\n' }
    expect(lines({ 'one/compose.yaml': '', 'two/compose.yaml': '', ...said })).toEqual([
      expect.stringContaining('services/two/service.yaml:1:'),
    ])
    expect(lines({ 'one/compose.yaml': '', 'two/compose.yaml': '' })).toEqual([])
  })

  test('COMPOSE_FILE of .env is not passed over', () => {
    const files = { 'one/compose.yaml': '', 'one/prod.yaml': '', 'one/.env': 'COMPOSE_FILE=./compose.yaml:prod.yaml\n' }
    expect(lines(files)).toEqual([
      expect.stringMatching(
        /one\/\.env: COMPOSE_FILE names "compose\.yaml", "prod\.yaml", and only compose\.yaml.* files: \[compose\.yaml, prod\.yaml\]/,
      ),
    ])
    expect(lines({ ...files, 'one/service.yaml': 'compose: { files: [compose.yaml, prod.yaml] }\n' })).toEqual([])
    expect(lines({ ...files, 'one/.env': 'COMPOSE_FILE=compose.yaml\n' })).toEqual([])
  })

  test('an override file that has a name gives it to the project', () => {
    const files = { 'one/compose.yaml': 'name: shop\n', 'one/compose.prod.yaml': 'name: two\n', 'two/compose.yaml': '' }
    const service = 'compose: { files: [compose.yaml, compose.prod.yaml] }\n'
    expect(lines({ ...files, 'one/service.yaml': service })).toEqual([
      expect.stringContaining('compose project two is claimed by'),
    ])
    expect(lines(files)).toEqual([])
  })

  test('two services cannot have the same files in one directory, nor a project what another service writes', () => {
    const directory = 'compose: { directory: /opt/app }\n'
    const both = { 'one/compose.yaml': '', 'one/service.yaml': directory, 'two/compose.yaml': '' }
    expect(lines({ ...both, 'two/service.yaml': directory })).toEqual([
      expect.stringContaining('/opt/app/compose.yaml is claimed by the services "one" and "two"'),
    ])
    expect(
      lines({ 'one/compose.yaml': '', 'one/service.yaml': directory, 'two/files/opt/app/compose.yaml': '' }),
    ).toEqual([expect.stringContaining('/opt/app/compose.yaml is claimed by')])
    expect(lines(both)).toEqual([])
  })

  test.each([['/'], ['/etc'], ['/usr/lib/app'], ['/var/lib/plumb/compose/one'], ['/var'], ['/home'], ['/run/app']])(
    '%s is no directory for a project',
    (directory) => {
      const service = `compose: { directory: ${directory} }\n`
      expect(lines({ 'one/compose.yaml': '', 'one/service.yaml': service })).toEqual([
        expect.stringContaining(`${directory} cannot be the directory of a compose project`),
      ])
    },
  )

  test.each([
    ['/opt/app'],
    ['/srv/compose/other'],
    ['/root/stacks/app'],
    ['/home/anna/app'],
    ['/usr/local/app'],
    ['/tmp/x/y'],
  ])('%s is one', (directory) => {
    const service = `compose: { directory: ${directory} }\n`
    expect(lines({ 'one/compose.yaml': '', 'one/service.yaml': service })).toEqual([])
  })

  test.each([['/srv/compose'], ['/srv/compose/one']])('%s, with data of containers in it, is not purged', (path) => {
    const service = `directories: { ${path}: { purge: true } }\n`
    expect(lines({ 'one/compose.yaml': '', 'two/files/etc/two': '', 'two/service.yaml': service })).toEqual([
      expect.stringContaining(`${path} is not purged: the compose project of one is in it`),
    ])
  })

  test('a project without a name that fits says how to give it one', () => {
    expect(lines({ 'one/compose.yaml': 'name: ${STACK}\n' })).toEqual([
      'services/one/compose.yaml: "${STACK}" as the name of a compose project has a variable without a value in it. Say in service.yaml how it is called: compose: { project: one }',
    ])
  })
})
