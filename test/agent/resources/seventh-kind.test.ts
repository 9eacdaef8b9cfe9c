// A seventh kind that is in no file of the product goes all the way: plan, apply, report, server, page.
import { expect, onTestFinished, test } from 'vitest'
import { stepLines } from '../../../agent/plan/text.ts'
import type { ResourceKind } from '../../../agent/resources/kind.ts'
import { watchedFor } from '../../../agent/watch/host-watch.ts'
import { enrollAgent, reportOf, startTestServer } from '../../server/kit.ts'
import { applyIn, desiredHost, idOf, makeWorld, outcome, planIn, reportsIn, service } from '../apply/world.ts'
import { type Board, type NoteResource, note, noteKind, registerNotes } from './note-kind.ts'

const id = idOf('note', 'motto')

function worldWithNotes(capabilities = {}) {
  const board: Board = new Map()
  const unregister = registerNotes(board)
  const world = makeWorld({ capabilities })
  onTestFinished(() => {
    unregister()
    world.remove()
  })
  return { board, world }
}

test('a kind of its own is planned, applied, recorded and then at rest', async () => {
  const { board, world } = worldWithNotes()
  const desired = desiredHost([service('web', [note('motto', 'Measure twice')])])

  const [planned] = (await planIn(world, desired)).services
  expect(planned?.steps.flatMap(stepLines)).toEqual(['write note motto'])

  const result = await applyIn(world, desired)
  expect(outcome(result)).toMatchObject({ changes: [{ summary: 'wrote note motto', resource: id }] })
  expect(board.get('motto')).toBe('Measure twice')
  expect((await planIn(world, desired)).services[0]?.steps).toEqual([])
})

test('its drift is a finding with its codes, words and evidence, and is repaired', async () => {
  const { board, world } = worldWithNotes({ commands: true })
  const desired = desiredHost([service('web', [note('motto', 'Measure twice')])])
  await applyIn(world, desired)
  board.set('motto', 'Cut once')

  const [report] = await reportsIn(world, desired)
  expect(report?.findings).toMatchObject([
    {
      resource: id,
      summary: 'note motto: says "Cut once"',
      kinds: ['content'],
      source: 'services/web/notes.yaml',
      evidence: { stateChangedAt: '2026-11-23T02:59:00.000Z' },
    },
  ])

  await applyIn(world, desired, { repair: 'everything' })
  expect(board.get('motto')).toBe('Measure twice')
})

test('a later failure restores it, and it is removed when it leaves the repository', async () => {
  const { board, world } = worldWithNotes({ commands: true })
  const first = desiredHost([service('web', [note('motto', 'Measure twice')])])
  await applyIn(world, first)

  const failing = service('web', [note('motto', 'Cut once')], { checks: [{ kind: 'run', command: 'false' }] })
  expect(outcome(await applyIn(world, desiredHost([failing], '2')))?.kind).toBe('failed')
  expect(board.get('motto')).toBe('Measure twice')

  const [left] = (await planIn(world, desiredHost([service('web', [])], '3'))).services
  expect(left?.steps.flatMap(stepLines)).toEqual(['erase note motto'])
  await applyIn(world, desiredHost([service('web', [])], '3'))
  expect(board.has('motto')).toBe(false)
})

test('the server takes its findings, and shows them', async () => {
  const { board, world } = worldWithNotes()
  const desired = desiredHost([service('nginx', [note('motto', 'Measure twice')])])
  await applyIn(world, desired)
  board.set('motto', 'Cut once')
  const services = [...(await reportsIn(world, desired))]
  const server = await startTestServer()
  onTestFinished(() => server.remove())

  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1', { services }))
  const page = await (await server.get(`/hosts/web-1/drift?service=nginx&resource=${encodeURIComponent(id)}`)).text()

  expect(page).toContain('Cut once')
  expect(page).toContain('<span class="kind">note </span>')
  await line.close()
})

test('what to watch for it is asked of the kind', () => {
  worldWithNotes()

  expect(watchedFor([note('motto', 'x')])).toEqual({ paths: [], trees: [], units: new Set(), hasContainers: false })
})

test('a kind that forgets a field does not compile', () => {
  const { describe: _, ...forgetful } = noteKind(new Map())
  // @ts-expect-error: `describe` is missing
  const kind: ResourceKind<NoteResource> = forgetful
  // @ts-expect-error: only paths are interleaved with the product's own paths
  const misplaced: ResourceKind<NoteResource>['order'] = 'paths'

  type Optional = {
    [Key in keyof ResourceKind<NoteResource>]-?: object extends Pick<ResourceKind<NoteResource>, Key> ? Key : never
  }[keyof ResourceKind<NoteResource>]
  const everyFieldIsAskedFor: [Optional] extends [never] ? true : false = true

  expect([kind.kind, misplaced, everyFieldIsAskedFor]).toEqual(['note', 'paths', true])
})
