import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Memory, slotByObject, slotByText } from '../../agent/memory.ts'
import { compareHost } from '../../agent/plan/compare.ts'
import { planFor } from '../../agent/plan/plan.ts'
import { applyIn, compareIn, desiredHost, file, makeWorld, service } from './apply/world.ts'

test('two memories share nothing, and two slots of one memory neither', () => {
  const key = {}
  const [one, other] = [slotByObject<object, string>(), slotByObject<object, string>()]
  const memory = new Memory()
  memory.at(one).set(key, 'seen')
  expect(memory.at(one).get(key)).toBe('seen')
  expect(memory.at(other).get(key)).toBeUndefined()
  expect(new Memory().at(one).get(key)).toBeUndefined()
})

test('of texts the oldest is forgotten for one more than the limit, and a known one takes no room', () => {
  const latest = new Memory().at(slotByText<number>(2))
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['b', 3],
    ['c', 4],
  ] as const)
    latest.set(key, value)
  expect(['a', 'b', 'c'].map((key) => latest.get(key))).toEqual([undefined, 3, 4])
})

test('on a host at rest the same comparison and plan are found again in one memory, and an empty one finds them equal', async () => {
  const world = makeWorld()
  try {
    const desired = desiredHost([service('web', [file('/etc/web', 'x')])])
    await applyIn(world, desired)
    const { memory } = world.host
    const [first, second] = [await compareIn(world, desired), await compareIn(world, desired)]
    expect(second.services[0]).toBe(first.services[0])
    const planned = (of: Memory) => planFor(second, { repair: 'by-policy', memory: of }).services[0]
    expect(planned(memory)).toBe(planned(memory))
    expect(planned(new Memory())).not.toBe(planned(memory))
    expect(planned(new Memory())).toEqual(planned(memory))
  } finally {
    world.remove()
  }
})

test('what one memory has of a host does not change what is compared with another', () => {
  const desired = desiredHost([service('web', [file('/etc/web', 'x')])])
  const live = (content: string) => ({
    capabilities: { ownership: false, packages: false, units: false, containers: false, commands: false },
    resources: new Map(desired.services.flatMap(({ resources }) => resources).map(({ id }) => [id, liveFile(content)])),
    problems: new Map(),
    found: new Map(),
  })
  const memory = new Memory()
  const differs = (content: string, of: Memory) =>
    compareHost(desired, new Map(), live(content), of).services[0]?.differing.length
  const desiredContent =
    desired.services.flatMap(({ resources }) => resources).flatMap((one) => ('sha256' in one ? one.sha256 : []))[0] ??
    ''
  expect(differs(desiredContent, memory)).toBe(0)
  expect(differs('another', memory)).toBe(1)
  expect(differs(desiredContent, new Memory())).toBe(0)
})

const pureStages = ['desire', 'plan', 'resources', 'observe', 'report', 'evidence', 'apply', 'document']
/** Texts that never change, whoever asks: see the comments there. */
const allowed = ['agent/document/node.ts', 'agent/resources/paths.ts']

test('no stage keeps anything in its module: what is remembered is in the memory of the agent', () => {
  const files = pureStages.flatMap((stage) => globSync(`agent/${stage}/**/*.ts`))
  const state = /^(?:export )?(?:let |(?:const|var) [^=]+= new (?:Weak)?(?:Map|Set)(?:<.*>)?\(\))/m
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter((path) => state.test(readFileSync(path, 'utf8'))).toSorted()).toEqual(allowed)
})

function liveFile(content: string) {
  return { attributes: { type: 'file', content, mode: '0644' } }
}
