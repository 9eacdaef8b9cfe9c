// What a finding and a plan show of content that other users of the host cannot read, on real files.
import { chmodSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Finding } from '../../../shared/finding.ts'
import { hiddenText } from '../../../shared/hidden-text.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Sandbox } from '../../support/plumb.ts'

let fleet: TestRepository
let box: Sandbox
const at = (path: string) => join(box.root, path)
const was = 'one\ntwo\nthree\nfour\nfive\n'
const canary = 'canary-of-the-owner'

beforeEach(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [app] }\n',
    'services/app/README.md': '# app\n',
    'services/app/service.yaml': `files:
  /etc/app/closed.conf: { mode: "0640" }
  /etc/app/closed.json: { mode: "0600" }
  /etc/app/shown.conf: { mode: "0600", diff: true }
  /etc/app/never.conf: { diff: false }
`,
    ...Object.fromEntries(
      ['closed.conf', 'shown.conf', 'never.conf', 'open.conf', 'inner/deep.conf'].map((name) => [
        `services/app/files/etc/app/${name}`,
        was,
      ]),
    ),
    'services/app/files/etc/app/closed.json': '{ "a": 1 }\n',
  })
  box = await makeSandbox({ repo: fleet.directory })
  await box.plumb('apply')
  return async () => {
    await box.remove()
    await fleet.remove()
  }
})

/** The finding of the one path that was changed; neither it nor the text for people tells the canary when it is hidden. */
async function findingOf(path: string): Promise<Finding> {
  const { out } = await box.plumb('check', '--json')
  const told: { services: { findings: Finding[] }[] } = JSON.parse(out)
  const found = told.services.flatMap(({ findings }) => findings).find(({ resource }) => resource === `file:${path}`)
  if (found === undefined) throw new Error(`nothing is said of ${path}: ${out}`)
  const { out: text } = await box.plumb('check')
  const { out: planned } = await box.plumb('plan', '--json')
  const { out: plan } = await box.plumb('plan')
  for (const said of [out, text, planned, plan])
    expect(said.includes(canary), said).toBe(found.diffHidden === undefined)
  return found
}

const edited = `one\n${canary}\n${canary}\nthree\nfour\n`

describe('only where it differs is told of a file', () => {
  test.each([
    ['that the repository closes to others', '/etc/app/closed.conf', () => {}],
    ['that was closed on the host', '/etc/app/open.conf', () => chmodSync(at('/etc/app/open.conf'), 0o640)],
    [
      'that the repository closes, and the host opened',
      '/etc/app/closed.conf',
      () => chmodSync(at('/etc/app/closed.conf'), 0o644),
    ],
    [
      'in a directory that others cannot enter',
      '/etc/app/inner/deep.conf',
      () => chmodSync(at('/etc/app/inner'), 0o750),
    ],
  ])('%s', async (_name, path, then) => {
    writeFileSync(at(path), edited)
    then()
    const { diff, changes, diffHidden, diffCut } = await findingOf(path)
    expect({ diff, changes, diffCut }).toEqual({ diffCut: false })
    expect(diffHidden).toEqual({
      why: 'mode',
      lines: [
        { expected: { start: 2, count: 1 }, live: { start: 2, count: 2 } },
        { expected: { start: 5, count: 1 }, live: { start: 6, count: 0 } },
      ],
    })
  })

  test('of JSON, without the values that differ', async () => {
    writeFileSync(at('/etc/app/closed.json'), `{ "a": "${canary}" }\n`)
    const { changes, diffHidden } = await findingOf('/etc/app/closed.json')
    expect(changes).toBeUndefined()
    expect(diffHidden?.lines).toHaveLength(1)
  })

  test('that is new: the plan says how many lines, not which', async () => {
    rmSync(at('/etc/app/closed.conf'))
    const { out } = await box.plumb('plan')
    expect(out).toContain('lines 1-5 differ; what it says is not shown')
    expect(out).not.toContain('+two')
  })
})

test('`diff: true` shows it, `diff: false` never', async () => {
  for (const name of ['shown', 'never']) writeFileSync(at(`/etc/app/${name}.conf`), edited)
  const { out } = await box.plumb('check', '--json')
  const told: { services: { findings: Finding[] }[] } = JSON.parse(out)
  const [never, shown] = told.services
    .flatMap(({ findings }) => findings)
    .toSorted((one, other) => one.resource.localeCompare(other.resource))
  expect(shown?.diff).toContain(`+${canary}`)
  expect(never?.diff).toBeUndefined()
  expect(never?.diffHidden).toEqual({ why: 'setting' })
})

test('a file with another name is told by its hash alone, also with `diff: true`, and is not adopted', async () => {
  mkdirSync(at('/root'), { mode: 0o700 })
  writeFileSync(at('/root/shadow'), edited)
  for (const name of ['open', 'shown']) {
    rmSync(at(`/etc/app/${name}.conf`))
    linkSync(at('/root/shadow'), at(`/etc/app/${name}.conf`))
    const { diffHidden, differences } = await findingOf(`/etc/app/${name}.conf`)
    expect(diffHidden).toEqual({ why: 'linked' })
    expect(differences[0]).toMatchObject({ name: 'content', live: expect.stringMatching(/^[0-9a-f]{64}$/) })
  }
  const { code, out } = await box.plumb('adopt', '/etc/app/open.conf', '-m', 'mine now', '--dry-run')
  expect(code).toBe(1)
  expect(out).toContain('it has another name on this host (a hard link)')
  expect(out).not.toContain(canary)
})

test('one token in the place of another is seen as a change, without either', async () => {
  const tokens = ['AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLF']
  await fleet.commit({ 'services/app/files/etc/app/open.conf': `a\nkey = ${tokens[0]}\nb\n` })
  await box.plumb('apply')
  writeFileSync(at('/etc/app/open.conf'), `a\nkey = ${tokens[1]}\nb\n`)
  const { out } = await box.plumb('check')
  expect(out).toContain(' a\n-key = [secret]\n+key = [secret]\n b\n')
  expect(out).not.toContain('AKIA')
})

test('what is hidden is said in words: where, and why', () => {
  const span = (start: number, count: number) => ({ start, count })
  const one = { expected: span(3, 1), live: span(3, 1) }
  expect(hiddenText({ why: 'setting' })).toBe(
    'its content differs; what it says is not shown: `diff: false` in service.yaml',
  )
  expect(hiddenText({ why: 'mode', lines: [one] })).toMatch(/^line 3 differs; what it says is not shown: its mode/)
  const removed = { expected: span(7, 2), live: span(7, 0) }
  expect(hiddenText({ why: 'mode', lines: [one, removed, { expected: span(9, 1), live: span(9, 3) }] })).toMatch(
    /^lines 3, 7-8 \(removed\) and 9-11 differ;/,
  )
})
