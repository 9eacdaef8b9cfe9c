// Quadlets whose containers would see other data: refused while there is any in what they have, unless service.yaml says that it may stay.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { leftData, movedDataProblems } from '../../../agent/plan/moved-data.ts'
import { heldData } from '../../../agent/resources/held-data.ts'
import type { Subject } from '../../../agent/resources/kind.ts'
import { unitKind } from '../../../agent/resources/unit.ts'
import type { CommandResult, Run } from '../../../shared/command.ts'
import type { ResourceId } from '../../../shared/names.ts'
import type { Resource, UnitResource } from '../../../shared/resource.ts'
import { makeWorld } from '../apply/world.ts'
import { desiredService } from '../desire/fleet.ts'

type Quadlets = Readonly<Record<string, string>>

const inService = (files: Quadlets) =>
  Object.fromEntries(
    Object.entries(files).map(([name, text]) => [
      name.startsWith('services/') ? name : `services/a/files/etc/containers/systemd/${name}`,
      text,
    ]),
  )

const isUnit = (resource: Resource): resource is UnitResource => resource.kind === 'unit'

/** A host on which podman has these volumes, with something in those whose name does not begin with `empty`. */
type Podman = {
  readonly running?: Readonly<Record<string, readonly object[]>>
  /** By `ps` and `container`. */
  readonly instead?: Readonly<Record<string, CommandResult>>
}

function hostWith({ running = {}, instead = {} }: Podman = {}) {
  const world = makeWorld({ capabilities: { units: true, commands: true } })
  onTestFinished(() => world.remove())
  const asked: string[] = []
  const query: Run = async ({ args }) => {
    asked.push(args.slice(1, 3).join(' '))
    const answer = (stdout: string) => ({ code: 0, stdout, stderr: '' })
    const other = instead[args[1] ?? '']
    if (other !== undefined) return other
    const id = (name: string) => Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)
    if (args[1] === 'ps') return answer(Object.keys(running).map(id).join('\n'))
    if (args[1] === 'container')
      return answer(
        JSON.stringify(
          Object.entries(running).map(([unit, mounts]) => ({
            ...{ ImageName: 'localhost/box:1', Config: { Labels: { PODMAN_SYSTEMD_UNIT: unit } }, Mounts: mounts },
          })),
        ),
      )
    const names = args.slice(4).filter((name) => !name.startsWith('gone'))
    for (const name of names) {
      mkdirSync(join(world.root, 'volumes', name), { recursive: true })
      if (!name.startsWith('empty')) writeFileSync(join(world.root, 'volumes', name, 'x'), '')
    }
    const volumes = names.map((Name) => ({ Name, Driver: 'local', Options: {}, Mountpoint: `/volumes/${Name}` }))
    return answer(JSON.stringify(volumes))
  }
  for (const path of ['srv/a', 'srv/empty']) mkdirSync(join(world.root, path), { recursive: true })
  writeFileSync(join(world.root, 'srv/a/x'), '')
  return { host: { ...world.host, query }, asked }
}

async function movedBetween(before: Quadlets | undefined, after: Quadlets, on = hostWith()) {
  const was = before === undefined ? [] : (await desiredService(inService(before))).resources
  const next = (await desiredService(inService(after))).resources
  const baselines = new Map<ResourceId, Subject['baseline']>(
    was.filter(isUnit).map((unit) => [unit.id, { attributes: unitKind.attributes(unit) }]),
  )
  const ids = new Set([...baselines.keys(), ...next.map(({ id }) => id)])
  const subjects = [...ids].map((id) => ({
    id,
    desired: next.find((one) => one.id === id),
    baseline: baselines.get(id),
  }))
  const units = subjects.flatMap((one) =>
    one.desired === undefined || isUnit(one.desired) ? [{ ...one, desired: one.desired }] : [],
  )
  const held = await heldData(units, on.host)
  const resources = subjects.map((subject) => {
    const mine = held.data.get(subject.id)
    const unit = { isOfPackage: false, isStale: false, ...(mine === undefined ? {} : { held: mine }) }
    return { ...subject, live: { attributes: {}, unit }, comparison: { drift: [], pending: [] }, differences: [] }
  })
  return {
    problems: movedDataProblems({ resources }),
    left: leftData({ resources }),
    unknown: [...held.unknown.keys()],
    asked: on.asked,
  }
}

const container = (line: string) => ({ 'web.container': `[Container]\nImage=localhost/box:1\n${line}\n` })
const named = (file: string, name: string) => ({ [`${file}.volume`]: `[Volume]\nVolumeName=${name}\n` })

test.each<[what: string, before: Quadlets, after: Quadlets, said: string]>([
  [
    'a renamed .volume file',
    { ...container('Volume=a.volume:/x'), 'a.volume': '[Volume]\n' },
    { ...container('Volume=b.volume:/x'), 'b.volume': '[Volume]\n' },
    'web.service has systemd-a at /x, and will have systemd-b there',
  ],
  [
    'another VolumeName=',
    { ...container('Volume=a.volume:/x'), 'a.volume': '[Volume]\n' },
    { ...container('Volume=a.volume:/x'), ...named('a', 'b') },
    'web.service has systemd-a at /x, and will have b there',
  ],
  [
    'another VolumeName= in a drop-in',
    { ...container('Volume=a.volume:/x'), ...named('a', 'a') },
    { ...container('Volume=a.volume:/x'), ...named('a', 'a'), 'a.volume.d/n.conf': '[Volume]\nVolumeName=b\n' },
    'web.service has a at /x, and will have b there',
  ],
  [
    'another Volume=',
    container('Volume=a:/x'),
    container('Volume=b:/x'),
    'web.service has a at /x, and will have b there',
  ],
  [
    'arguments of podman',
    container('PodmanArgs=-v a:/x'),
    container('PodmanArgs=--volume=b:/x'),
    'web.service has a at /x, and will have b there',
  ],
  [
    'a directory in the place of a volume',
    container('Volume=a:/x'),
    container('Mount=type=bind,src=/srv/b,dst=/x'),
    'web.service has a at /x, and will have /srv/b there',
  ],
  [
    'another directory',
    container('Volume=/srv/a:/x'),
    container('Volume=/srv/b:/x'),
    'web.service has /srv/a at /x, and will have /srv/b there',
  ],
  [
    'another directory that service.yaml declares',
    container('Volume=/srv/a:/x'),
    { ...container('Volume=/srv/b:/x'), 'services/a/service.yaml': 'directories: { /srv/b: {} }\n' },
    'web.service has /srv/a at /x, and will have /srv/b there',
  ],
  [
    'specifiers of its name',
    container('Volume=%p:/x'),
    container('Volume=data:/x'),
    'web.service has web at /x, and will have data there',
  ],
  [
    'a container under another name, with a volume of that name',
    { 'db.container': '[Container]\nImage=localhost/box:1\nVolume=db:/x\n' },
    { 'postgres.container': '[Container]\nImage=localhost/box:2\nVolume=postgres:/x\n' },
    'db.service has db at /x, and postgres.service, which takes its place, will have postgres there',
  ],
  [
    'a service under another name, with a volume of that name',
    container('Volume=%N:/x'),
    container('Volume=%N:/x\nServiceName=site'),
    'web.service has web at /x, and site.service, which takes its place, will have site there',
  ],
  [
    'the mounts of a pod',
    { 'p.pod': '[Pod]\nVolume=a:/x\n', ...container('Pod=p.pod') },
    { 'p.pod': '[Pod]\nVolume=b:/x\n', ...container('Pod=p.pod') },
    'p-pod.service has a at /x, and will have b there',
  ],
])('%s is refused, with the ways on, unless the data may stay', async (_, before, after, said) => {
  const { problems, left } = await movedBetween(before, after)
  expect(left).toEqual([])
  expect(problems).toMatchObject([
    { code: 'unsafe-path', message: expect.stringContaining(`would see other data: ${said}`) },
  ])
  const [from = ''] = /(?<= has )\S+/.exec(said) ?? []
  const remedy = problems[0]?.remedy ?? ''
  expect(remedy).toContain('To keep the data:')
  expect(remedy).toContain(`quadlets: { moveMounts: [${from}] }`)
  const settings = `${after['services/a/service.yaml'] ?? ''}quadlets: { moveMounts: [${from}] }\n`
  const meant = { 'services/a/service.yaml': settings }
  const allowed = await movedBetween(before, { ...after, ...meant })
  expect(allowed.problems).toEqual([])
  expect(allowed.left).toEqual([`${said}: nothing of the data is taken along`])
})

test.each<[what: string, before: Quadlets, after: Quadlets]>([
  ['the same', container('Volume=a:/x'), container('Volume=a:/x:ro')],
  [
    'the same by the name of a quadlet',
    container('Volume=a:/x'),
    { ...container('Volume=v.volume:/x'), ...named('v', 'a') },
  ],
  ['the same by its specifiers', container('Volume=%p:/x'), container('Volume=web:/x')],
  ['another place in the container', container('Volume=a:/x'), container('Volume=a:/y')],
  ['no mount any more', container('Volume=a:/x\nVolume=b:/y'), container('Volume=b:/y')],
  ['a volume that is gone', container('Volume=gone:/x'), container('Volume=b:/x')],
  ['a volume with nothing in it', container('Volume=empty:/x'), container('Volume=b:/x')],
  ['a directory with nothing in it', container('Volume=/srv/empty:/x'), container('Volume=/srv/b:/x')],
  ['a directory that is gone', container('Volume=/srv/none:/x'), container('Volume=/srv/b:/x')],
  ['specifiers of the host', container('Volume=%H:/x'), container('Volume=data:/x')],
  [
    'a renamed container that keeps its volume',
    { 'db.container': '[Container]\nImage=box\nVolume=db:/x\n' },
    { 'postgres.container': '[Container]\nImage=box\nVolume=db:/x\n' },
  ],
  [
    'another image that comes where one goes',
    { 'db.container': '[Container]\nImage=db\nVolume=db:/x\n' },
    { 'cache.container': '[Container]\nImage=cache\nVolume=cache:/x\n' },
  ],
  [
    'what the repository has at the path',
    container('Volume=/srv/a:/x'),
    { ...container('Volume=/etc/b:/x'), 'services/a/files/etc/b': 'b' },
  ],
])('%s is no other data', async (_, before, after) => {
  const { problems, left } = await movedBetween(before, after)
  expect([...problems, ...left]).toEqual([])
})

test('a container that somebody made before the first apply counts by what it has mounted', async () => {
  const mounts = [
    { Type: 'volume', Name: 'hand', Source: '/volumes/hand', Destination: '/x' },
    { Type: 'bind', Source: '/srv/a', Destination: '/y' },
    { Type: 'volume', Name: 'a'.repeat(64), Destination: '/z' },
  ]
  const on = hostWith({ running: { 'web.service': mounts } })
  const { problems } = await movedBetween(undefined, container('Volume=b:/x\nVolume=/srv/b:/y\nVolume=c:/z'), on)
  expect(problems).toHaveLength(1)
  expect(problems[0]?.message).toMatch(
    /has hand at \/x, and will have b there; web.service has \/srv\/a at \/y, and will have \/srv\/b there\.$/,
  )
})

test.each(['', '[{"Name": "a"'])('a podman that prints %j holds what it is not known to have lost', async (stdout) => {
  const { host, asked } = hostWith()
  const query: Run = async (command) => {
    const answer = await host.query(command)
    return command.args[1] === 'volume' ? { ...answer, code: 124, stdout } : answer
  }
  const on = { host: { ...host, query }, asked }
  const { problems } = await movedBetween(container('Volume=gone:/x'), container('Volume=b:/x'), on)
  expect(problems).toMatchObject([{ message: expect.stringContaining('has gone at /x, and will have b there') }])
})

test('podman is not asked while every quadlet is to have what it was applied with', async () => {
  const same = container('Volume=a:/x\nVolume=/srv/a:/y')
  expect((await movedBetween(same, same)).asked).toEqual([])
})

describe('while podman does not answer', () => {
  const failed: CommandResult = { code: 125, stdout: '', stderr: 'cannot connect' }
  const cases: readonly (readonly [what: string, instead: Readonly<Record<string, CommandResult>>])[] = [
    ['podman ps fails', { ps: failed }],
    ['podman ps does not end', { ps: { ...failed, code: 'deadline' } }],
    ['its answer is cut short', { container: { code: 'deadline', stdout: '[{"Image', stderr: '' } }],
    ['its answer is empty', { container: { code: 'deadline', stdout: '', stderr: '' } }],
  ]
  const running = { 'web.service': [{ Type: 'volume', Name: 'mine', Destination: '/x' }] }

  test.each(cases)('what a container made by hand has is not known: %s', async (_, instead) => {
    const { unknown } = await movedBetween(undefined, container('Volume=theirs:/x'), hostWith({ running, instead }))
    expect(unknown).toEqual(['unit:web.service'])
  })

  test.each(cases)('what a unit was last applied with counts: %s', async (_, instead) => {
    const { problems, unknown } = await movedBetween(
      container('Volume=a:/x'),
      container('Volume=b:/x'),
      hostWith({ running, instead }),
    )
    expect(unknown).toEqual([])
    expect(problems).toHaveLength(1)
  })

  test('where podman is not installed, nothing is unknown', async () => {
    const none = hostWith({ instead: { ps: { ...failed, code: 127 } } })
    expect((await movedBetween(undefined, container('Volume=theirs:/x'), none)).unknown).toEqual([])
  })
})
