// What every resource kind does, through plan and apply: seen, changed once, drifted, repaired, rolled back, removed. Compose projects need
// an engine: what they do on a host is shown in test/lab/kinds.test.ts, what is pure of them below.
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ApplyResult } from '../../../agent/apply/result.ts'
import { stepLines } from '../../../agent/plan/text.ts'
import type { CodedDifference } from '../../../agent/resources/kind.ts'
import { compareSubject, kindNameOf, kinds } from '../../../agent/resources/registry.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import type { Change } from '../../../shared/report.ts'
import type { ComposeResource, DesiredService, Resource } from '../../../shared/resource.ts'
import { applyIn, desiredHost, idOf, outcome, planIn, reportsIn, service, sha, type World } from '../apply/world.ts'
import { type Bench, benches } from './benches.ts'

function host(resources: readonly Resource[], revision: string, more: Partial<DesiredService> = {}) {
  return desiredHost([service('web', resources, more)], revision)
}

/** What an apply would change of it, whatever was applied before. */
async function differencesIn(world: World, resource: Resource): Promise<readonly CodedDifference[]> {
  const subject = { id: resource.id, desired: resource, baseline: undefined }
  const live = (await kinds[resource.kind].observe([subject], world.host)).get(resource.id)
  if (live === undefined) throw new Error(`${resource.id} was not observed`)
  return compareSubject(subject, live).differences
}

function changesOf(result: ApplyResult): readonly Change[] {
  return result.services.flatMap((one) => ('changes' in one ? one.changes : []))
}

function open(makeBench: () => Bench): Bench {
  const bench = makeBench()
  onTestFinished(() => bench.close())
  return bench
}

describe.each(Object.entries(benches))('a %s', (_, makeBench) => {
  test('that is not there is seen as such, and is pending with a step that says so', async () => {
    const { world, one } = open(makeBench)

    expect(await differencesIn(world, one)).not.toEqual([])
    const [report] = await reportsIn(world, host([one], '1'))
    expect(report?.pending.map(({ resource }) => resource)).toEqual([one.id])
    const [plan] = (await planIn(world, host([one], '1'))).services
    expect(plan?.steps.flatMap(stepLines)).not.toEqual([])
  })

  test('is as desired after one apply, which says what it did, and a second one has nothing to do', async () => {
    const { world, one } = open(makeBench)

    const result = await applyIn(world, host([one], '1'))

    expect(outcome(result)).toMatchObject({ kind: 'applied' })
    expect(changesOf(result).map(({ resource }) => resource)).toContain(one.id)
    expect(await differencesIn(world, one)).toEqual([])
    const again = await applyIn(world, host([one], '1'))
    expect(changesOf(again)).toEqual([])
    const [plan] = (await planIn(world, host([one], '1'))).services
    expect(plan).toMatchObject({ steps: [], isRecorded: true })
  })

  test('is changed by a commit, and not as drift', async () => {
    const { world, one, two } = open(makeBench)
    await applyIn(world, host([one], '1'))

    const [report] = await reportsIn(world, host([two], '2'))
    expect(report).toMatchObject({ findings: [], pending: [{ resource: two.id }] })
    await applyIn(world, host([two], '2'))

    expect(await differencesIn(world, two)).toEqual([])
  })

  test('that is changed by hand is drift with codes and words, and is repaired when asked', async () => {
    const { world, one, spoil } = open(makeBench)
    await applyIn(world, host([one], '1'))

    spoil()

    const [report] = await reportsIn(world, host([one], '1'))
    expect(report?.pending).toEqual([])
    const [finding] = report?.findings ?? []
    expect(finding?.resource).toBe(one.id)
    expect(finding?.summary).not.toMatch(/: $/)
    expect(finding?.kinds?.length).toBeGreaterThan(0)
    for (const { codes } of finding?.differences ?? []) expect(codes?.length).toBeGreaterThan(0)
    await applyIn(world, host([one], '1'), { repair: 'everything' })
    expect(await differencesIn(world, one)).toEqual([])
  })

  test('is rolled back when a later step fails', async () => {
    const { world, one, two } = open(makeBench)
    await applyIn(world, host([one], '1'))
    const result = await applyIn(world, host([two], '2', { checks: [{ kind: 'run', command: 'false' }] }))

    expect(outcome(result)?.kind).toBe('failed')
    expect(await differencesIn(world, one)).toEqual([])
    expect(await differencesIn(world, two)).not.toEqual([])
  })

  test('that leaves the repository is removed or released once, and forgotten', async () => {
    const { world, one } = open(makeBench)
    await applyIn(world, host([one], '1'))

    const [plan] = (await planIn(world, host([], '2'))).services
    expect(plan?.steps.flatMap(stepLines)).not.toEqual([])
    const result = await applyIn(world, host([], '2'))

    expect(changesOf(result)).not.toEqual([])
    const [after] = (await planIn(world, host([], '2'))).services
    expect(after).toMatchObject({ steps: [], isRecorded: true })
    expect(
      [...world.state.baselines.read().baselines.values()].flatMap(({ resources }) => [...resources.keys()]),
    ).toEqual([])
  })
})

const project: ComposeResource = {
  kind: 'compose',
  id: idOf('compose', 'shop'),
  project: 'shop',
  directory: absolutePathSchema.parse('/srv/shop'),
  file: absolutePathSchema.parse('/srv/shop/compose.yaml'),
  sha256: sha('x'),
  files: [],
  state: 'running',
  registries: [],
  allowMounts: [],
  allow: [],
  moveMounts: [],
}

const examples: readonly Resource[] = [...Object.values(benches).map((makeBench) => exampleOf(makeBench)), project]

function exampleOf(makeBench: () => Bench): Resource {
  const bench = makeBench()
  bench.close()
  return bench.one
}

test('there is an example of each kind', () => {
  expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)))
})

test.each(examples.map((one) => [one.kind, one] as const))('a %s that is as desired differs in nothing', (_, one) => {
  const attributes = kinds[one.kind].attributes(one)
  const subject = { id: one.id, desired: one, baseline: { attributes } }

  expect(compareSubject(subject, { attributes })).toEqual({ comparison: { drift: [], pending: [] }, differences: [] })
})

test.each(examples.map((one) => [one.kind, one] as const))(
  'a difference of tomorrow in a %s has a code, and is not adopted',
  (_, one) => {
    const kind = kinds[kindNameOf(one.id)]
    const difference = { name: 'of-tomorrow', expected: 'a', live: 'b' }

    expect(kind.codes(difference, { attributes: {} })).toHaveLength(1)
    expect(kind.isAdoptable(difference)).toBe(false)
  },
)
