// `compare` in service.yaml, by the verbs, on files that real programs have written again.
import { execFileSync } from 'node:child_process'
import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Sandbox } from '../../support/plumb.ts'
import { treeOf } from '../apply/world.ts'

const dashboard = {
  uid: 'fleet',
  title: 'Fleet',
  version: 3,
  tags: ['ops', 'hosts'],
  counted: 1.0,
  panels: [
    { id: 1, title: 'Load', targets: [{ expr: 'node_load1', refId: 'A' }] },
    { id: 2, title: 'Memory', targets: [{ expr: 'node_memory_Active_bytes', refId: 'A' }] },
  ],
}
const source = 'services/grafana/files/etc/grafana/fleet.json'
const settings = (compare: string) =>
  `settle: 0s\nfiles:\n  /etc/grafana/fleet.json: { compare: ${compare} }\n  /etc/grafana/rules.yaml: { compare: yaml }\n`
const rules = '# Why: the disks are small.\ngroups:\n  - name: "disk"\n    limit: 12345678901234567890\n'

let fleet: TestRepository
let box: Sandbox

beforeEach(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [grafana] }\n',
    'services/grafana/README.md': 'Dashboards.\n',
    'services/grafana/service.yaml': settings('json'),
    [source]: `${JSON.stringify(dashboard, undefined, 2)}\n`,
    'services/grafana/files/etc/grafana/rules.yaml': rules,
  })
  box = await makeSandbox({ repo: fleet.directory })
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
})

afterEach(async () => {
  await box.remove()
  await fleet.remove()
})

function reorderedBy(program: readonly string[], text: string): string {
  const [command = '', ...args] = program
  return execFileSync(command, args, { input: text, encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })
}

/** Keys sorted, all on one line. */
const python = ['python3', '-m', 'json.tool', '--sort-keys', '--no-indent']

function hasJq(): boolean {
  try {
    return execFileSync('jq', ['--version'], { stdio: 'pipe' }).length > 0
  } catch {
    return false
  }
}

async function rewrite(change: (text: string) => string, path = '/etc/grafana/fleet.json'): Promise<void> {
  await box.write(path, change(await box.read(path)))
}

test('an export that a program has re-ordered stays in sync, and an apply leaves it as it is', async () => {
  for (const program of [python, ...(hasJq() ? [['jq', '-S', '--tab', '.']] : [])]) {
    await rewrite((text) => reorderedBy(program, text))
    await rewrite(
      (text) => text.replace('12345678901234567890', '12345678901234567890 # kept').replace('"disk"', "'disk'"),
      '/etc/grafana/rules.yaml',
    )
    const before = treeOf(box.root)
    expect(await box.plumb('check')).toMatchObject({ code: 0 })
    expect(await box.plumb('check', '--full')).toMatchObject({ code: 0 })
    expect(await box.plumb('plan')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to do at /) })
    expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to change/) })
    expect(treeOf(box.root)).toEqual(before)
  }
})

test('a value that somebody changed is drift however the file is formatted, and an apply puts it back', async () => {
  await rewrite((text) => reorderedBy(python, text.replace('node_load1', 'node_load5')))
  await rewrite((text) => text.replace('12345678901234567890', '12345678901234567891'), '/etc/grafana/rules.yaml')
  const check = await box.plumb('check')
  expect(check.code).toBe(2)
  expect(check.out).toContain('grafana: drift: /etc/grafana/fleet.json: content differs')
  expect(check.out).toContain('grafana: drift: /etc/grafana/rules.yaml: content differs')
  expect(check.out).toContain('  ~ panels[0].targets[0].expr: "node_load1" -> "node_load5"\n--- last applied')
  expect(check.out).toContain('  ~ groups[0].limit: 12345678901234567890 -> 12345678901234567891\n')
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  expect(JSON.parse(await box.read('/etc/grafana/fleet.json'))).toEqual(dashboard)
  expect(await box.read('/etc/grafana/rules.yaml')).toBe(rules)
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
})

test('by bytes, the same re-ordering is drift', async () => {
  await fleet.commit({ 'services/grafana/service.yaml': settings('bytes') })
  await box.plumb('apply')
  await rewrite((text) => reorderedBy(python, text))
  const check = await box.plumb('check')
  expect(check).toMatchObject({
    code: 2,
    out: expect.stringContaining('/etc/grafana/fleet.json: content differs (only formatting and order differ)\n'),
  })
  await box.plumb('apply')
  expect(await box.read('/etc/grafana/fleet.json')).toBe(`${JSON.stringify(dashboard, undefined, 2)}\n`)
})

test('what is ignored may change, and what has no order may be in any', async () => {
  await rewrite((text) => text.replace('"version": 3', '"version": 4').replace(/"ops",\s*"hosts"/, '"hosts", "ops"'))
  expect(await box.plumb('check')).toMatchObject({ code: 2 })
  await fleet.commit({
    'services/grafana/service.yaml': settings('{ json: { ignore: [/version], unordered: [/tags] } }'),
  })
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  expect(await box.read('/etc/grafana/fleet.json')).toContain('"version": 4')
  await rewrite((text) => text.replace('"version": 4', '"version": 5'))
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
  await rewrite((text) => text.replace('"title": "Load"', '"title": "Loads"'))
  expect(await box.plumb('check')).toMatchObject({ code: 2 })
})

test('a commit that formats the file anew is nothing to apply; one that changes a value is', async () => {
  await rewrite((text) => reorderedBy(python, text))
  const live = await box.read('/etc/grafana/fleet.json')
  await fleet.commit({ [source]: `${JSON.stringify(dashboard, undefined, 4)}\n` })
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  expect(await box.read('/etc/grafana/fleet.json')).toBe(live)
  await fleet.commit({ [source]: JSON.stringify({ ...dashboard, title: 'Hosts' }) })
  expect((await box.plumb('check')).out).toContain('grafana: pending: /etc/grafana/fleet.json: content differs')
  await box.plumb('apply')
  expect(await box.read('/etc/grafana/fleet.json')).toBe(JSON.stringify({ ...dashboard, title: 'Hosts' }))
})

test('a commit that formats anew what drifted leaves the drift to a person', async () => {
  await rewrite((text) => text.replace('"Load"', '"Loads"'))
  await fleet.commit({ [source]: JSON.stringify(dashboard) })
  const { out } = await box.plumb('check')
  expect(out).toContain('drift: /etc/grafana/fleet.json')
  expect(out).not.toContain('pending')
})

test('a mode is corrected without a new copy of a file that says the same', async () => {
  await rewrite((text) => reorderedBy(python, text))
  const live = await box.read('/etc/grafana/fleet.json')
  const path = join(box.root, 'etc/grafana/fleet.json')
  chmodSync(path, 0o600)
  const { ino } = statSync(path)
  const { code, out } = await box.plumb('apply')
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('wrote /etc/grafana/fleet.json (mode)') })
  expect([await box.read('/etc/grafana/fleet.json'), statSync(path).ino, statSync(path).mode & 0o777]).toEqual([
    live,
    ino,
    0o644,
  ])
})

test('the value that differs is told of an export of two mebibytes on one line', async () => {
  const rows = Array.from({ length: 40_000 }, (_, id) => ({ id, title: `row ${id} of many, which is long` }))
  await fleet.commit({ [source]: JSON.stringify({ rows }) })
  await box.plumb('apply')
  await rewrite((text) => reorderedBy(python, text.replace('row 777 of', 'line 777 of')))
  expect((await box.plumb('check')).out).toContain(
    '  ~ rows[777].title: "row 777 of many, which is long" -> "line 777 of many, which is long"\n',
  )
})

test('what is JSON no more is drift, and it is said where it breaks', async () => {
  await rewrite((text) => text.replace('"tags": [', '"tags" ['))
  const { out } = await box.plumb('check')
  expect(out).toContain('/etc/grafana/fleet.json: content differs (no longer JSON: 5:10 expected a colon)\n')
  await rewrite(() => '{"a": 1, "a": 1}')
  expect((await box.plumb('check')).out).toContain(
    '(no longer JSON: 1:10 the same key stands here twice; this differs too: the newline at the end is gone)',
  )
})

test('what is too much to be judged so is compared by its bytes, and that is said', async () => {
  await rewrite((text) => `${text}${' '.repeat(4 * 1024 * 1024)}`)
  expect((await box.plumb('check')).out).toContain('content differs (compared by bytes: it is larger than 4 MiB)')
})

test('a revision whose file is no JSON is refused by lint and by the agent, with the place', async () => {
  await fleet.commit({ [source]: '{\n  "a": 1,\n}\n' })
  const expected = `${source}:3:1: is compared as JSON, but is no JSON that can be judged: expected a key in quotes.`
  expect((await box.plumb('check')).err + (await box.plumb('check')).out).toContain(expected)
})
