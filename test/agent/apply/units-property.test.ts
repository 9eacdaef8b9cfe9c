// Random pairs of revisions about units, and random things that people do to them: what an apply does is what its plan says, is needed,
// and is undone when the apply fails. systemd is a fake (fake-systemd.ts).
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isInSync } from '../../../agent/plan/compare.ts'
import { effectOf, effectsOf } from '../../../agent/plan/effects.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { DesiredHost, DesiredService, Resource, Trigger, UnitResource } from '../../../shared/resource.ts'
import { type FakeSystemd, type FakeUnit, fakeSystemd } from './fake-systemd.ts'
import { applyIn, compareIn, desiredHost, file, idOf, makeWorld, planIn, service, treeOf, type World } from './world.ts'

const names = ['a', 'b'] as const
const unitName = (name: string) => `${name}.service`
const unitPath = (name: string) => `/etc/systemd/system/${unitName(name)}`

/** What a revision says of one unit. */
const wish = fc.record({
  /** The service it is in, for units move. */
  of: fc.constantFrom('one', 'two'),
  unit: fc.constantFrom('no file', '[Service] # 1', '[Service] # 2'),
  dropIn: fc.constantFrom(undefined, '[Service] # 1'),
  config: fc.constantFrom(undefined, '1', '2'),
  trigger: fc.constantFrom('reload' as const, 'restart' as const),
  enabled: fc.constantFrom(undefined, true, false),
  state: fc.constantFrom(undefined, 'running' as const, 'stopped' as const),
  masked: fc.boolean(),
})
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never

const revision = fc.record({ a: wish, b: wish })
type Revision = Readonly<Record<(typeof names)[number], Wish>>

/** What people do to a unit between two applies. */
const deed = fc.record({
  name: fc.constantFrom(...names),
  active: fc.boolean(),
  enabled: fc.boolean(),
  masked: fc.boolean(),
  stale: fc.boolean(),
})

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never

function resourcesOf(name: string, { unit, dropIn, config, enabled, state, masked }: Wish): readonly Resource[] {
  const own = unit !== 'no file'
  const said = { ...(enabled === undefined ? {} : { enabled }), ...(state === undefined ? {} : { state }) }
  const settings = masked && !own ? { masked: true as const } : said
  const about: UnitResource = {
    kind: 'unit',
    id: idOf('unit', unitName(name)),
    name: unitName(name),
    ...settings,
    ...(own ? { file: idOf('file', unitPath(name)) } : {}),
  }
  return [
    ...(own ? [file(unitPath(name), unit)] : []),
    ...(dropIn === undefined ? [] : [file(`${unitPath(name)}.d/x.conf`, dropIn)]),
    ...(config === undefined ? [] : [file(`/etc/${name}.conf`, config)]),
    about,
  ]
}

function triggersOf(name: string, { trigger }: Wish): readonly Trigger[] {
  const unit = unitName(name)
  return [
    {
      on: [idOf('file', unitPath(name)), idOf('file', `${unitPath(name)}.d/x.conf`)],
      action: { kind: 'restart', unit },
    },
    { on: [idOf('file', `/etc/${name}.conf`)], action: { kind: trigger, unit } },
  ]
}

function fleet(wishes: Revision, number: number, more: Partial<DesiredService> = {}): DesiredHost {
  const services = ['one', 'two'].map((of) => {
    const own = names.filter((name) => wishes[name].of === of)
    return service(
      of,
      own.flatMap((name) => resourcesOf(name, wishes[name])),
      { triggers: own.flatMap((name) => triggersOf(name, wishes[name])), ...more },
    )
  })
  return desiredHost(services, String(number))
}

async function inWorld(work: (world: World, systemd: FakeSystemd) => Promise<void>): Promise<void> {
  const systemd: FakeSystemd = fakeSystemd(() => world.root, createRun({ graceSeconds: 0.3 }))
  const world: World = makeWorld({ capabilities: { commands: true, units: true }, run: systemd.run })
  for (const name of names) {
    mkdirSync(join(world.root, 'usr/lib/systemd/system'), { recursive: true })
    writeFileSync(join(world.root, 'usr/lib/systemd/system', unitName(name)), '[Service] # of a package')
  }
  try {
    await work(world, systemd)
  } finally {
    world.remove()
  }
}

/** systemd itself does not start what is masked. */
function done({ name, ...unit }: Deed, { units }: FakeSystemd): void {
  units.set(unitName(name), { ...unit, active: unit.active && !unit.masked, failed: false })
}

const everything = { repair: 'everything' } as const
const runs = { numRuns: 50, endOnFailure: true }
const stateOf = ({ active, enabled, masked }: FakeUnit) => ({
  active,
  enabled: masked === true || enabled,
  masked: masked === true,
})

test('an apply does to units what its plan says, ends in sync, and has then nothing to do', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(revision, fc.array(deed, { maxLength: 2 }), revision, (first, deeds, second) =>
      inWorld(async (world, systemd) => {
        await applyIn(world, fleet(first, 1), everything)
        for (const one of deeds) done(one, systemd)
        systemd.log.length = 0
        const desired = fleet(second, 2)
        const plan = await planIn(world, desired, everything)
        const { services } = await applyIn(world, desired, everything)
        expect(services.filter(({ kind }) => kind === 'failed')).toEqual([])
        const changes = services.flatMap((one) => (one.kind === 'applied' ? one.changes : []))
        expect(changes.map(effectOf)).toEqual(effectsOf(plan).map(({ isCertain: _, ...effect }) => effect))
        expect(isInSync(await compareIn(world, desired))).toBe(true)
        systemd.log.length = 0
        await applyIn(world, desired, everything)
        expect(systemd.log).toEqual([])
      }),
    ),
    runs,
  )
})

test('a unit of which nothing changed is told nothing, and none is told twice', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(revision, wish, (first, other) =>
      inWorld(async (world, systemd) => {
        await applyIn(world, fleet(first, 1), everything)
        systemd.log.length = 0
        await applyIn(world, fleet({ ...first, b: { ...other, of: first.b.of } }, 2), everything)
        const verbs = systemd.log.filter((line) =>
          /^(?:start|stop|restart|reload|enable|disable|mask|unmask) /.test(line),
        )
        expect(verbs.filter((line) => line.includes('a.service'))).toEqual([])
        expect(verbs.filter((line) => /^(?:start|restart|reload) /.test(line)).length).toBeLessThanOrEqual(1)
      }),
    ),
    runs,
  )
})

test('an apply that fails at its end leaves every unit as it was', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(revision, fc.array(deed, { maxLength: 2 }), revision, (first, deeds, second) =>
      inWorld(async (world, systemd) => {
        await applyIn(world, fleet(first, 1), everything)
        for (const one of deeds) done(one, systemd)
        const files = treeOf(world.root)
        const before = names.map((name) => stateOf(systemd.units.get(unitName(name)) ?? nowhere))
        const desired = fleet(second, 2, { checks: [{ kind: 'run', command: 'false' }] })
        // A unit that moves is in two transactions, of which one may hold: that is not what is looked at here.
        if (names.some((name) => first[name].of !== second[name].of)) return
        await applyIn(world, desired, everything)
        expect(treeOf(world.root)).toEqual(files)
        expect(names.map((name) => stateOf(systemd.units.get(unitName(name)) ?? nowhere))).toEqual(before)
      }),
    ),
    runs,
  )
})

const nowhere: FakeUnit = { active: false, enabled: false, failed: false }
