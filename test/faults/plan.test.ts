// Thousands of generated transitions: the plan is compared with its effect, and an apply that fails with what was there before.
import './kill-at.ts'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recover } from '../../agent/apply/recover.ts'
import { forecastsFor } from '../../agent/forecast.ts'
import { inspectHost } from '../../agent/inspect.ts'
import { effectOf, effectsOf } from '../../agent/plan/effects.ts'
import { isEmpty, type Plan, planFor } from '../../agent/plan/plan.ts'
import { foreseenLines, stepLines } from '../../agent/plan/text.ts'
import type { Run } from '../../shared/command.ts'
import type { Change } from '../../shared/report.ts'
import type { DesiredHost } from '../../shared/resource.ts'
import { applyIn, contents, makeWorld, service, type World } from '../agent/apply/world.ts'
import { Budget, noLimit } from '../support/budget.ts'
import { agentWithRevision } from './agent.ts'
import { memoryDirectory } from './arena.ts'
import { disagreements, treeIn } from './effects.ts'
import type { FakeContainer } from './fakes/docker.ts'
import { type FakeHost, fakeHost, runOn, said } from './fakes/fake-host.ts'
import { unitFile } from './fakes/systemd.ts'
import { operationsHere } from './operations.ts'
import { differenceOf } from './seen.ts'
import { desiredIn, type Edit, make, prepare, serviceNames, type Transition, transition } from './transitions.ts'

/** Another one tries others: PLUMB_SEED=17. */
const seed = Number(process.env['PLUMB_SEED'] ?? 3)
const transitionsEach = 10
const [chainsPlanned, chainsUndone] = [250, 80]
const chains = fc.array(transition, { minLength: transitionsEach, maxLength: transitionsEach })

test('an apply does exactly what the plan printed, and the next plan is empty', { timeout: noLimit }, async () => {
  const budget = new Budget({ seconds: 40, least: 5 })
  const counts = { transitions: 0, notEmpty: 0, failed: 0, compared: 0, conflicts: 0 }
  await fc.assert(
    fc.asyncProperty(chains, async (chain) => {
      if (budget.isOver()) return
      budget.done += 1
      await onAHost(async (world, host) => {
        for (const [index, one] of chain.entries()) await planAndApply(world, host, { one, index, counts })
      })
    }),
    { numRuns: chainsPlanned, endOnFailure: true, seed },
  )
  console.log(`${budget.text(chainsPlanned, 'chains of transitions')}: ${JSON.stringify(counts)}`)
  expect(counts.compared).toBeGreaterThan(5 * budget.done)
})

test('an apply that fails at its end leaves every file, unit and container as it was', {
  timeout: noLimit,
}, async () => {
  const budget = new Budget({ seconds: 25, least: 5 })
  let undone = 0
  await fc.assert(
    fc.asyncProperty(chains, async (chain) => {
      if (budget.isOver()) return
      budget.done += 1
      await onAHost(async (world, host) => {
        for (const [index, one] of chain.entries()) {
          if (index % 2 === 0) await applyIn(world, desiredIn(one, index + 1), { repair: one.repair })
          else undone += await failsAndIsUndone(world, host, { one, index })
        }
      })
    }),
    { numRuns: chainsUndone, endOnFailure: true, seed },
  )
  console.log(`${budget.text(chainsUndone, 'chains of transitions')}: ${undone} services were put back`)
  expect(undone).toBeGreaterThan(budget.done)
})

async function recoverIn({ state, host }: World): Promise<void> {
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  await recover(state, host, { lock, answering: async () => [] })
  lock.release()
}

type Trying = { readonly one: Transition; readonly index: number }
type Counts = { transitions: number; notEmpty: number; failed: number; compared: number; conflicts: number }
type Counting = Trying & { readonly counts: Counts }

async function planAndApply(world: World, host: FakeHost, { one, index, counts }: Counting): Promise<void> {
  for (const edit of one.edits) make(host, edit)
  const desired = desiredIn(one, index + 1)
  // What an earlier apply could not put back at once, an agent tries again before it plans.
  await recoverIn(world)
  const { plan, lines } = await planned(world, desired, one.repair)
  const before = treeIn(host.root)
  host.log.length = 0
  const result = await applyIn(world, desired, { repair: one.repair })
  const failed = result.services.filter(({ kind }) => kind === 'failed' || kind === 'skipped')
  counts.transitions += 1
  counts.notEmpty += isEmpty(plan) ? 0 : 1
  counts.failed += failed.length
  operationsHere().length = 0
  // What is put back, is: the test below. What it told the tools meanwhile no plan says.
  if (failed.length > 0) return
  counts.compared += isEmpty(plan) ? 0 : 1
  const changes = result.services.flatMap((outcome) => (outcome.kind === 'applied' ? outcome.changes : []))
  const done = { before, after: treeIn(host.root), log: [...host.log], changes: changes.map(({ summary }) => summary) }
  if (isKnownConflict(plan)) {
    counts.conflicts += 1
    await applyIn(world, desired, { repair: one.repair })
    return
  }
  const wrong = [...disagreements(lines, done), ...otherEffects(plan, changes)]
  const { lines: next } = await planned(world, desired, one.repair)
  if (wrong.length + next.length > 0)
    throw new Error(
      storyOf({ wrong, next, plan: lines, told: done.changes, log: done.log, edits: one.edits.map(editText) }),
    )
}

/** Every certain effect is a change, every change an effect, in this order. */
function otherEffects(plan: Plan, changes: readonly Change[]): readonly string[] {
  const done = changes.map((change) => JSON.stringify(effectOf(change)))
  const expected = effectsOf(plan).flatMap(({ isCertain, ...effect }) => {
    const text = JSON.stringify(effect)
    return isCertain || done.includes(text) ? [text] : []
  })
  return JSON.stringify(done) === JSON.stringify(expected)
    ? []
    : differenceOf(expected, done).map((line) => `effect ${line}`)
}

async function failsAndIsUndone(world: World, host: FakeHost, { one, index }: Trying): Promise<number> {
  for (const edit of one.edits.filter(isPutBack)) make(host, edit)
  await recoverIn(world)
  const stale = staleUnits(host)
  const before = [...treeIn(host.root), ...toolsOf(host, stale)].map(String)
  const desired = failing(desiredIn(one, index + 1))
  const { lines } = await planned(world, desired, one.repair)
  host.log.length = 0
  const result = await applyIn(world, desired, { repair: one.repair })
  const after = [...treeIn(host.root), ...toolsOf(host, stale)].map(String)
  const wrong = differenceOf(before, after)
  const failures = result.services.flatMap((outcome) =>
    outcome.kind === 'failed' ? outcome.failure.problem.message : [],
  )
  if (wrong.length > 0)
    throw new Error(storyOf({ wrong, failures, plan: lines, log: host.log, edits: one.edits.map(editText) }))
  return result.services.filter(({ kind }) => kind === 'failed').length
}

/** Every service is there, so that each has a check that fails. */
function failing(desired: DesiredHost): DesiredHost {
  const checks = [{ kind: 'run', command: 'false' } as const]
  const missing = serviceNames.filter((name) => !desired.services.some((one) => one.name === name))
  const services = [...missing.map((name) => service(name, [])), ...desired.services]
  return { ...desired, services: services.map((one) => ({ ...one, checks })) }
}

/** The compose kind saves whether a project ran, so that an undo starts what somebody had stopped in it. */
function isPutBack({ what }: Edit): boolean {
  return what !== 'stop container' && what !== 'remove container'
}

/**
 * The one place for what is known: a link or file leaves one service, or a link is turned elsewhere, and another service brings
 * or removes something below its path, which is then no longer what the plan took it for; the apply after that puts it right.
 * agent/plan/steps.ts clears the way of its own service only.
 */
function isKnownConflict({ services }: Plan): boolean {
  const lines = services.flatMap(({ service: name, steps }) => steps.flatMap(stepLines).map((line) => ({ name, line })))
  const places = lines.flatMap(({ name, line }) => {
    const [, verb = '', path] = /^(\w+) (\/\S*)/.exec(line) ?? []
    return path === undefined ? [] : [{ name, isMoved: verb === 'remove' || verb === 'link', path }]
  })
  const moved = places.filter(({ isMoved }) => isMoved)
  return moved.some(({ name, path }) =>
    places.some((other) => other.name !== name && other.path.startsWith(`${path}/`)),
  )
}

/** What stays so when units are started again and containers made again from the same. */
function toolsOf(host: FakeHost, stale: ReadonlySet<string>): readonly string[] {
  const known = [...host.units].map(([name, { enabled, masked, running }]) => ({
    name,
    // What a mask hides, systemd does not tell.
    enabled: enabled && !masked,
    masked,
    runs: running === undefined || stale.has(name) ? running !== undefined : running.unit,
  }))
  const states = known.filter(({ enabled, masked, runs }) => enabled || masked || runs !== false)
  const made = [...host.containers.values()].map(comparable)
  return [...new Set([...states, ...made].map((one) => JSON.stringify(one)))].toSorted()
}

/**
 * Known: containers that are stopped may be of files that are on disk no longer, since a project that is to be stopped is not
 * made anew; an undo of its start makes them of the files that there are, and stops them.
 */
function comparable({ id: _, start: __, ...about }: FakeContainer) {
  const { project, state } = about
  return state === 'running' ? about : { project, state }
}

/** Units that run with what is on disk no longer: with what an undo could not start them again. */
function staleUnits(host: FakeHost): ReadonlySet<string> {
  const units = [...host.units].filter(
    ([name, { running }]) => running !== undefined && running.unit !== unitFile(host, name),
  )
  return new Set(units.map(([name]) => name))
}

/** What is needed to see what went wrong. */
function storyOf(parts: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(parts)
    .flatMap(([name, lines]) => [`${name}:`, ...lines.map((line) => `    ${line}`)])
    .join('\n')
}

function editText({ what, path, unit }: Edit): string {
  return `${what} (${path}, ${unit})`
}

type Planned = { readonly plan: Plan; readonly lines: readonly string[] }

/** As `plumb plan` does. */
async function planned({ host, state }: World, desired: DesiredHost, repair: Transition['repair']): Promise<Planned> {
  const agent = agentWithRevision({ host, state })
  const look = await inspectHost(agent, { desired, contents }, { full: false })
  const plan = planFor(look.comparison, { repair })
  const forecasts = await forecastsFor(agent, look, plan)
  return { plan, lines: plan.services.flatMap(({ steps }) => steps.flatMap((step) => foreseenLines(step, forecasts))) }
}

async function onAHost(work: (world: World, host: FakeHost) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(memoryDirectory(), 'plumb-plan-'))
  const root = join(directory, 'root')
  mkdirSync(root)
  const host = fakeHost(root)
  prepare(host)
  const capabilities = { packages: true, units: true, containers: true, commands: true }
  const world = makeWorld({
    root,
    stateDirectory: join(directory, 'state'),
    capabilities,
    run: runOn(host, commandsOf(host)),
  })
  try {
    await work(world, host)
  } finally {
    world.remove()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A fake too: triggers are noted, and no command of theirs is run. */
function commandsOf(host: FakeHost): Run {
  return async ({ args }) => {
    const [program = '', , text = ''] = args
    // No link leads anywhere in a project.
    if (program === 'realpath')
      return {
        ...said(),
        stdout: args
          .slice(4)
          .map((path) => `${path}\0`)
          .join(''),
      }
    if (program !== 'sh') return said()
    if (text === 'false') return said('', 1)
    host.log.push(`ran ${text}`)
    return said()
  }
}
