import { expect, test } from 'vitest'
import type { LiveHost } from '../../../agent/observe/observe.ts'
import { compareHost, isInSync } from '../../../agent/plan/compare.ts'
import { serviceReports } from '../../../agent/plan/findings.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { isEmpty, type Plan, type PlanOptions, planFor, servicesToTry } from '../../../agent/plan/plan.ts'
import { foreseenLines, stepLines } from '../../../agent/plan/text.ts'
import { changesIn } from '../../../agent/resources/change-step.ts'
import type { ContainerAction } from '../../../agent/resources/compose-actions.ts'
import type { ComposeForecast } from '../../../agent/resources/compose-forecast.ts'
import type { Attributes } from '../../../agent/resources/kind.ts'
import { kinds } from '../../../agent/resources/registry.ts'
import type { Baselines, ServiceBaseline } from '../../../agent/state/baseline.ts'
import { absolutePathSchema, resourceIdSchema, revisionSchema, serviceNameSchema } from '../../../shared/names.ts'
import type {
  ComposeResource,
  DesiredService,
  PackageResource,
  Resource,
  UnitResource,
} from '../../../shared/resource.ts'
import { desiredHost, directory, file, idOf, service, sha, symlink } from '../apply/world.ts'

const whole = { ownership: true, packages: true, units: true, containers: true, commands: true }

/** Everything that is not named is missing. */
function live(
  attributes: Readonly<Record<string, Attributes>>,
  services: readonly DesiredService[],
  more: Partial<LiveHost> = {},
): LiveHost {
  const desired = services.flatMap(({ resources }) => resources.map(({ id }) => id))
  const ids = [...Object.keys(attributes).map((id) => resourceIdSchema.parse(id)), ...desired]
  const resources = new Map(ids.map((id) => [id, { attributes: attributes[id] ?? { type: 'missing' } }]))
  return { capabilities: whole, resources, problems: new Map(), found: new Map(), ...more }
}

function applied(name: string, resources: readonly Resource[], more: Partial<ServiceBaseline> = {}): Baselines {
  const parsed = serviceNameSchema.parse(name)
  const entries = resources.map(
    (resource) => [resource.id, { attributes: kinds[resource.kind].attributes(resource) }] as const,
  )
  const revision = revisionSchema.parse('1'.padStart(40, '0'))
  return new Map([
    [parsed, { service: parsed, revision, appliedAt: '', onRemove: 'delete', resources: new Map(entries), ...more }],
  ])
}

const none: Baselines = new Map()
const liveFile = (text: string, mode = '0644') => ({
  type: 'file',
  content: sha(text),
  mode,
  owner: 'root',
  group: 'root',
})
const lines = (plan: Plan) => plan.services.flatMap(({ steps }) => steps.flatMap(stepLines))

const unit = (name: string, more: Partial<UnitResource> = {}): UnitResource => ({
  kind: 'unit',
  id: idOf('unit', name),
  name,
  enabled: true,
  state: 'running',
  ...more,
})
const packaged = (name: string): PackageResource => ({ kind: 'package', id: idOf('package', name), name })

const composeProject = (name: string): ComposeResource => ({
  kind: 'compose',
  id: idOf('compose', name),
  project: name,
  directory: absolutePathSchema.parse(`/srv/compose/${name}`),
  file: absolutePathSchema.parse(`/srv/compose/${name}/compose.yaml`),
  sha256: sha(name),
  files: [],
  state: 'running',
  registries: [],
  allowMounts: [],
  allow: [],
  moveMounts: [],
})

test('the steps of a service are in the order of the design', () => {
  const web = service(
    'web',
    [
      unit('web.service'),
      directory('/etc/web'),
      file('/etc/web/conf', 'x'),
      file('/etc/systemd/system/web.service', '[Service]'),
      file('/etc/tmpfiles.d/web.conf', 'd /run/web'),
      file('/etc/sysusers.d/web.conf', 'u web -'),
      file('/etc/sysctl.d/web.conf', 'a=1'),
      symlink('/etc/web/link', 'conf'),
      packaged('nginx'),
    ],
    {
      triggers: [
        { on: [idOf('file', '/etc/web/conf')], action: { kind: 'reload', unit: 'web.service' } },
        { on: [idOf('file', '/elsewhere')], action: { kind: 'run', command: 'never' } },
      ],
      checks: [{ kind: 'unit', unit: 'web.service' }],
    },
  )
  const here = {
    'package:nginx': { type: 'missing', installed: 'no' },
    'unit:web.service': { type: 'missing', enabled: 'missing', state: 'missing' },
  }
  const plan = planFor(compareHost(desiredHost([web]), none, live(here, [web])), { repair: 'by-policy' })
  expect(lines(plan)).toEqual([
    expect.stringContaining('nginx: not installed'),
    'write /etc/sysusers.d/web.conf (new)',
    'run systemd-sysusers /etc/sysusers.d/web.conf',
    'make /etc/web',
    'write /etc/web/conf (new)',
    'write /etc/systemd/system/web.service (new)',
    'write /etc/tmpfiles.d/web.conf (new)',
    'write /etc/sysctl.d/web.conf (new)',
    'link /etc/web/link to conf',
    'run systemd-tmpfiles --create /etc/tmpfiles.d/web.conf',
    'run /usr/lib/systemd/systemd-sysctl /etc/sysctl.d/web.conf',
    'run systemctl daemon-reload',
    'enable and start web.service, unless its package does',
    'reload web.service if it runs',
    'check unit web.service',
  ])
})

test('a directory is purged of what the packages of the same apply put there, last of all paths, whatever was there before', () => {
  const purged = [
    directory('/d', { purge: true, keep: ['ours'] }),
    directory('/e', { purge: true }),
    directory('/f', { purge: true }),
  ]
  const was = applied('web', [...purged, directory('/d/left')])
  const web = service('web', [...purged, file('/d/ours', 'x'), packaged('nginx')])
  const seen = (extra: string) => ({ type: 'directory', mode: '0755', owner: 'root', group: 'root', extra })
  const here = live(
    { 'package:nginx': { type: 'missing', installed: 'no' }, 'directory:/d/left': { ...seen('none') } },
    [web],
  )
  const resources = new Map([
    ...here.resources,
    [idOf('directory', '/d'), { attributes: seen('left'), extras: ['left'] }],
    [idOf('directory', '/e'), { attributes: seen('typed'), extras: ['typed'] }],
  ])
  const comparison = compareHost(desiredHost([web]), was, { ...here, resources })
  const paths = (plan: Plan) => lines(plan).filter((line) => /\/[def]/.test(line))
  const keptIn = (plan: Plan) =>
    plan.services.flatMap(changesIn).flatMap(({ desired }) => (desired?.kind === 'directory' ? [desired.keep] : []))

  const asked = planFor(comparison, { repair: 'everything' })
  const byItself = planFor(comparison, { repair: 'by-policy' })

  expect(paths(asked)).toEqual([
    'make /f',
    'write /d/ours (new)',
    'remove /d/left',
    'remove from /d: what its packages leave there',
    'remove from /e: typed and what its packages leave there',
    'remove from /f: what its packages leave there',
  ])
  expect(keptIn(asked)).toEqual([[], ['ours'], [], []])
  expect(keptIn(byItself)).toEqual([['ours'], ['typed'], []])
})

test('in a sandbox no tool, trigger or check is planned, and packages and units are left out', () => {
  const web = service('web', [file('/etc/tmpfiles.d/web.conf', 'x'), unit('web.service'), packaged('nginx')], {
    triggers: [{ on: [idOf('file', '/etc/tmpfiles.d/web.conf')], action: { kind: 'run', command: 'x' } }],
    checks: [{ kind: 'run', command: 'x' }],
  })
  const capabilities = { ownership: false, packages: false, units: false, containers: false, commands: false }
  const here: LiveHost = {
    capabilities,
    resources: new Map([[idOf('file', '/etc/tmpfiles.d/web.conf'), { attributes: { type: 'missing' } }]]),
    problems: new Map(),
    found: new Map(),
  }
  const plan = planFor(compareHost(desiredHost([web]), none, here), { repair: 'by-policy' })
  expect(lines(plan)).toEqual(['write /etc/tmpfiles.d/web.conf (new)'])
  expect([...(plan.services[0]?.record?.resources.keys() ?? [])]).toEqual(['file:/etc/tmpfiles.d/web.conf'])
})

test('drift alone is left for a person, unless the service repairs or a person asks', () => {
  const resources = [file('/a', 'x'), file('/b', 'new')]
  const was = applied('web', [file('/a', 'x'), file('/b', 'old')])
  const here = { 'file:/a': liveFile('edited'), 'file:/b': liveFile('edited') }
  const planned = (onDrift: 'alert' | 'repair', repair: 'by-policy' | 'everything') => {
    const web = service('web', resources, { onDrift })
    return planFor(compareHost(desiredHost([web]), was, live(here, [web])), { repair })
  }
  expect(lines(planned('alert', 'by-policy'))).toEqual(['write /b (content)'])
  expect(planned('alert', 'by-policy').services[0]?.leftAlone).toEqual(['file:/a'])
  expect(lines(planned('repair', 'by-policy'))).toEqual(['write /a (content)', 'write /b (content)'])
  expect(lines(planned('alert', 'everything'))).toEqual(['write /a (content)', 'write /b (content)'])
})

test("a resource's own policy goes before its service's; what is ignored is left by everybody, until a commit changes it", () => {
  const ignore = { ignore: 'the router writes it' }
  const own = [
    { ...file('/told', 'x'), onDrift: 'alert' as const },
    { ...file('/put-back', 'x'), onDrift: 'repair' as const },
    { ...file('/left', 'x'), onDrift: ignore },
  ]
  const was = applied('web', own)
  const here = Object.fromEntries(own.map(({ id }) => [id, liveFile('edited')]))
  const planned = (onDrift: DesiredService['onDrift'], options: PlanOptions, resources: readonly Resource[] = own) => {
    const web = service('web', resources, { onDrift })
    return planFor(compareHost(desiredHost([web]), was, live(here, [web])), options)
  }
  const byPolicy = planned('alert', { repair: 'by-policy' })
  expect(lines(byPolicy)).toEqual(['write /put-back (content)'])
  expect(byPolicy.services[0]).toMatchObject({ leftAlone: ['file:/told'], repairs: ['file:/put-back'] })
  expect(lines(planned('repair', { repair: 'by-policy' }))).toEqual(['write /put-back (content)'])
  expect(lines(planned(ignore, { repair: 'everything' }))).toEqual([
    'write /told (content)',
    'write /put-back (content)',
  ])
  const repairLoops = new Map([[own[1]?.id ?? idOf('file', '/'), {}]])
  expect(planned('repair', { repair: 'by-policy', repairLoops: repairLoops }).services[0]).toMatchObject({
    steps: [],
    leftAlone: ['file:/told', 'file:/put-back'],
    repairs: [],
  })
  expect(lines(planned('repair', { repair: 'everything', repairLoops: repairLoops }))).toHaveLength(2)
  const committed = [...own.slice(0, 2), { ...file('/left', 'new'), onDrift: ignore }]
  expect(lines(planned('alert', { repair: 'by-policy' }, committed))).toContain('write /left (content)')
})

test('ignored drift is no finding, and in sync; it is told with its reason', () => {
  const web = service('web', [{ ...file('/left', 'x'), onDrift: { ignore: 'the router writes it' } }])
  const was = applied('web', web.resources)
  const comparison = compareHost(desiredHost([web]), was, live({ 'file:/left': liveFile('edited') }, [web]))
  expect(isInSync(comparison)).toBe(true)
  expect(serviceReports(comparison, { contents: new Map(), mask: maskFor([]) })).toMatchObject([
    {
      findings: [],
      ignored: [{ resource: 'file:/left', summary: '/left: content differs', why: 'the router writes it' }],
    },
  ])
})

test('a unit of another service that reads a changed file is restarted once, by its own service where that changes too', () => {
  const env = file('/etc/shop/common.env', 'new')
  const unitFile = file('/etc/systemd/system/shop.service', 'new')
  const restart = { kind: 'restart', unit: 'shop.service' } as const
  const common = service('common', [env], { triggers: [{ on: [env.id], action: restart, isOfReader: true }] })
  const shop = service('shop', [unitFile, unit('shop.service', { file: unitFile.id })], {
    after: [common.name],
    triggers: [{ on: [unitFile.id], action: restart }],
  })
  const here = (text: string) => ({
    [env.id]: liveFile('old'),
    [unitFile.id]: liveFile(text),
    [idOf('unit', 'shop.service')]: { type: 'unit', enabled: 'yes', state: 'running' },
  })
  const before = [
    service('common', [file('/etc/shop/common.env', 'old')]),
    service('shop', [file('/etc/systemd/system/shop.service', 'old'), unit('shop.service')]),
  ]
  const was = (text: string) =>
    new Map([
      ...applied('common', before[0]?.resources ?? []),
      ...applied('shop', text === 'old' ? (before[1]?.resources ?? []) : shop.resources),
    ])
  const restartsBy = (text: string, options: Partial<PlanOptions> = {}) => {
    const services = [common, shop]
    const comparison = compareHost(desiredHost(services), was(text), live(here(text), services))
    const plan = planFor(comparison, { repair: 'by-policy', ...options })
    return plan.services.flatMap(({ service: name, steps }) =>
      steps.flatMap(stepLines).includes('restart shop.service') ? name : [],
    )
  }

  expect(restartsBy('new')).toEqual(['common'])
  expect(restartsBy('old')).toEqual(['shop'])
  expect(restartsBy('old', { services: new Set([common.name]) })).toEqual(['common'])
})

test('a compose project has a part in it when a service before it replaces a file that it reads, and only then', () => {
  const conf = file('/etc/shop/app.conf', 'x')
  const reads = { ...composeProject('shop'), files: [{ path: conf.path, sha256: conf.sha256 }] }
  const other = composeProject('other')
  const services = [service('common', [conf]), service('shop', [reads]), service('other', [other])]
  const was = new Map(services.flatMap(({ name, resources }) => [...applied(name, resources)]))
  const isUp = ({ sha256 }: ComposeResource) => ({
    type: 'project',
    content: sha256,
    containers: 'as declared',
    state: 'running',
  })
  const desired = desiredHost(services, '1')
  const planned = (text: string, mode = '0644') => {
    const here = { [conf.id]: liveFile(text, mode), [reads.id]: isUp(reads), [other.id]: isUp(other) }
    return lines(planFor(compareHost(desired, was, live(here, services)), { repair: 'everything' }))
  }

  expect(planned('x')).toEqual([])
  expect(planned('edited')).toEqual([
    'write /etc/shop/app.conf (content)',
    'compose project shop: containers that mount what is repaired',
  ])
  expect(planned('x', '0600')).toEqual(['write /etc/shop/app.conf (mode)'])
  expect(planned('x')).toEqual([])
})

test('a compose project has a part in it when a file of its service is replaced, also when only drift is put right', () => {
  const project = composeProject('shop')
  const conf = file('/srv/compose/shop/app.conf', 'x')
  const here = {
    [conf.id]: liveFile('edited'),
    [project.id]: { type: 'project', content: project.sha256, containers: 'as declared', state: 'running' },
  }
  const planned = (desired: ComposeResource, edited: Readonly<Record<string, Attributes>>) => {
    const shop = service('shop', [conf, desired])
    const was = applied('shop', [conf, desired])
    return lines(planFor(compareHost(desiredHost([shop]), was, live(edited, [shop])), { repair: 'everything' }))
  }
  expect(planned(project, here)).toEqual([
    'write /srv/compose/shop/app.conf (content)',
    'compose project shop: containers that mount what is repaired',
  ])
  expect(planned(project, { ...here, [conf.id]: liveFile('x', '0600') })).toEqual([
    'write /srv/compose/shop/app.conf (mode)',
  ])
  const resting = { ...here, [project.id]: { ...here[project.id], state: 'stopped' } }
  expect(planned({ ...project, state: 'stopped' }, resting)).toHaveLength(1)
})

test('a plan with forecasts says what is done to containers', () => {
  const project = composeProject('shop')
  const shop = service('shop', [project])
  const here = { [project.id]: { type: 'missing', content: 'none', containers: 'missing', state: 'stopped' } }
  const plan = planFor(compareHost(desiredHost([shop]), none, live(here, [shop])), { repair: 'by-policy' })
  const actions: readonly ContainerAction[] = [
    { service: 'db', kind: 'start' },
    { service: 'web', kind: 'recreate', why: 'its mounted app.conf changes' },
  ]
  const told = (forecast: ComposeForecast) =>
    plan.services.flatMap(({ steps }) =>
      steps.flatMap((step) => foreseenLines(step, new Map([[project.id, forecast]]))),
    )
  expect(told({ kind: 'up', actions, healthSeconds: 0 })).toEqual([
    'compose project shop: start db; recreate web (its mounted app.conf changes)',
  ])
  expect(told({ kind: 'unknown', why: 'docker does not answer' })).toEqual([
    'compose project shop: what happens to its containers cannot be told yet: docker does not answer',
  ])
})

test('what is left alone stays drift: the record keeps what was applied', () => {
  const web = service('web', [file('/a', 'x')])
  const was = applied('web', [file('/a', 'x')])
  const plan = planFor(compareHost(desiredHost([web], '2'), was, live({ 'file:/a': liveFile('edited') }, [web])), {
    repair: 'by-policy',
  })
  expect(isEmpty(plan)).toBe(true)
  expect(plan.services[0]).toMatchObject({ isRecorded: false })
  expect(plan.services[0]?.record?.resources.get(idOf('file', '/a'))?.attributes).toEqual(
    kinds.file.attributes(file('/a', 'x')),
  )
})

test('a resource that left is removed, a service that left goes first, and what it kept says so', () => {
  const was: Baselines = new Map([
    ...applied('web', [file('/kept', 'x'), file('/gone', 'x')]),
    ...applied('old', [file('/old', 'x'), unit('old.service'), packaged('nginx')]),
    ...applied('spared', [file('/spared', 'x')], { onRemove: 'keep' }),
  ])
  const web = service('web', [file('/kept', 'x')])
  const here = {
    'file:/kept': liveFile('x'),
    'file:/gone': liveFile('x'),
    'file:/old': liveFile('x'),
    'file:/spared': liveFile('x'),
    'unit:old.service': { type: 'unit', enabled: 'yes', state: 'running' },
    'package:nginx': { type: 'package', installed: 'yes' },
  }
  const plan = planFor(compareHost(desiredHost([web]), was, live(here, [web])), { repair: 'by-policy' })
  expect(lines(plan)).toEqual([
    'disable and stop old.service',
    expect.stringContaining('nginx: no longer in the repository'),
    'remove /old',
    'remove /gone',
  ])
  expect(plan.services.map(({ service: name, record }) => [name, record === undefined])).toEqual([
    ['old', true],
    ['spared', true],
    ['web', false],
  ])
})

test('a file that moves from one service to another is not removed, and counts as applied', () => {
  const was = applied('old', [file('/f', 'x')])
  const web = service('web', [file('/f', 'x')])
  const drifted = compareHost(desiredHost([web]), was, live({ 'file:/f': liveFile('edited') }, [web]))
  expect(lines(planFor(drifted, { repair: 'by-policy' }))).toEqual([])
  expect(drifted.services.find(({ service: name }) => name === 'web')?.resources[0]?.comparison.drift).toHaveLength(1)
})

test('a path that becomes another kind is replaced, not removed afterwards', () => {
  const was = applied('web', [file('/f', 'x'), symlink('/l', 'x')])
  const web = service('web', [symlink('/f', 'elsewhere'), file('/l', 'x')])
  const plan = planFor(
    compareHost(
      desiredHost([web]),
      was,
      live({ 'symlink:/f': { type: 'file' }, 'file:/l': { type: 'symlink' } }, [web]),
    ),
    { repair: 'by-policy' },
  )
  expect(lines(plan)).toEqual(['write /l (is a symlink)', 'link /f to elsewhere'])
})

test('what is in the way of something new goes before it', () => {
  const was = applied('web', [file('/a', 'x'), directory('/d'), file('/d/inside', 'x'), file('/other', 'x')])
  const web = service('web', [file('/a/b', 'x'), file('/d', 'x')])
  const here = {
    'file:/a': liveFile('x'),
    'directory:/d': { type: 'directory', mode: '0755', owner: 'root', group: 'root' },
    'file:/d/inside': liveFile('x'),
    'file:/other': liveFile('x'),
    'file:/d': { type: 'directory' },
  }
  const plan = planFor(compareHost(desiredHost([web]), was, live(here, [web])), { repair: 'by-policy' })
  expect(lines(plan)).toEqual([
    'remove /a',
    'remove /d/inside',
    'remove /d',
    'write /a/b (new)',
    'write /d (is a directory)',
    'remove /other',
  ])
})

test('one action for many files, and no reload beside a restart of the same unit', () => {
  const on = [idOf('file', '/a'), idOf('file', '/b')]
  const web = service('web', [file('/a', 'x'), file('/b', 'x')], {
    triggers: [
      { on: on.slice(0, 1), action: { kind: 'reload', unit: 'web.service' } },
      { on, action: { kind: 'restart', unit: 'web.service' } },
      { on: on.slice(1), action: { kind: 'restart', unit: 'web.service' } },
      { on, action: { kind: 'run', command: 'newaliases' } },
    ],
  })
  const plan = planFor(compareHost(desiredHost([web]), none, live({}, [web])), { repair: 'by-policy' })
  expect(lines(plan).slice(2)).toEqual(['restart web.service if it runs', 'run newaliases'])
})

test('a service of which something could not be looked at is not touched', () => {
  const web = service('web', [file('/a', 'x'), file('/b', 'x')])
  const problem = { code: 'observe-failed', message: 'permission denied' } as const
  const here = live({}, [web], { problems: new Map([[idOf('file', '/a'), problem]]) })
  const plan = planFor(compareHost(desiredHost([web]), none, here), { repair: 'by-policy' })
  expect(plan.services[0]).toMatchObject({ steps: [], blocked: [{ ...problem, service: 'web' }] })
  expect(isEmpty(plan)).toBe(false)
})

test('services can be chosen, and what is after one that waits waits too', () => {
  const base = service('base', [file('/a', 'x')])
  const web = service('web', [file('/b', 'x')], { after: [base.name] })
  const other = service('other', [file('/c', 'x')])
  const all = [base, web, other]
  const comparison = compareHost(desiredHost(all), none, live({}, all))
  const services = servicesToTry(comparison, (name) => name !== 'base')
  expect([...services]).toEqual(['other'])
  expect(lines(planFor(comparison, { repair: 'by-policy', services }))).toEqual(['write /c (new)'])
})

test('what was applied into a purged directory and left is removed as itself, and is no drift of the directory', () => {
  const purged = directory('/d', { purge: true })
  const was = applied('web', [purged, file('/d/old', 'x')])
  const web = service('web', [purged])
  const attributes = { type: 'directory', mode: '0755', owner: 'root', group: 'root', extra: 'old, theirs' }
  const here = live({ 'file:/d/old': liveFile('x') }, [web])
  const resources = new Map([...here.resources, [purged.id, { attributes, extras: ['old', 'theirs'] }]])
  const comparison = compareHost(desiredHost([web]), was, { ...here, resources })
  const [first] = comparison.services[0]?.resources ?? []
  expect(first?.comparison.drift).toEqual([{ name: 'extra', expected: 'none', live: 'theirs', codes: ['extra'] }])
  const [planned] = planFor(comparison, { repair: 'by-policy' }).services
  expect(planned && changesIn(planned).map(({ id }) => id)).toEqual(['file:/d/old'])
})

test('a trigger is planned for a unit that runs, and not for one that rests or starts with the new files', () => {
  const asked = (name: string) => ({ on: [idOf('file', '/f')], action: { kind: 'reload', unit: name } }) as const
  const names = ['runs', 'crashes', 'rests', 'absent', 'starts', 'unseen'].map((name) => `${name}.service`)
  const web = service('web', [file('/f', 'x'), unit('starts.service')], { triggers: names.map(asked) })
  const here = {
    'unit:runs.service': { type: 'unit', enabled: 'yes', state: 'running' },
    'unit:crashes.service': { type: 'unit', enabled: 'yes', state: 'restarting' },
    'unit:rests.service': { type: 'unit', enabled: 'yes', state: 'stopped' },
    'unit:absent.service': { type: 'missing', enabled: 'missing', state: 'missing' },
    'unit:starts.service': { type: 'unit', enabled: 'yes', state: 'failed' },
  }
  const plan = planFor(compareHost(desiredHost([web]), none, live(here, [web])), { repair: 'by-policy' })
  expect(lines(plan)).toEqual([
    'write /f (new)',
    'start starts.service',
    'reload runs.service',
    'reload crashes.service',
    'reload unseen.service if it runs',
  ])
  expect(plan.services.flatMap(({ watched }) => watched.units)).toEqual([
    'starts.service',
    'runs.service',
    'crashes.service',
    'unseen.service',
  ])
})

test('of a unit that comes with a package only the apply can show whether it runs; of a known one it is known', () => {
  const asked = (name: string) => ({ on: [idOf('file', '/f')], action: { kind: 'reload', unit: name } }) as const
  const web = service('web', [packaged('nginx'), file('/f', 'x'), unit('nginx.service'), unit('rests.service')], {
    triggers: ['nginx.service', 'other.service', 'rests.service'].map(asked),
  })
  const missing = { type: 'missing', enabled: 'missing', state: 'missing' }
  const here = {
    'package:nginx': { type: 'missing', installed: 'no' },
    'unit:nginx.service': missing,
    'unit:other.service': missing,
    'unit:rests.service': { type: 'unit', enabled: 'yes', state: 'stopped' },
  }
  const later = service('later', [file('/f2', 'x')], {
    triggers: [{ on: [idOf('file', '/f2')], action: { kind: 'reload', unit: 'nginx.service' } }],
  })
  const plan = planFor(compareHost(desiredHost([web, later]), none, live(here, [web, later])), { repair: 'by-policy' })
  expect(lines(plan)).toEqual([
    expect.stringContaining('nginx: not installed'),
    'write /f (new)',
    'enable and start nginx.service, unless its package does',
    'start rests.service',
    'reload nginx.service if it runs',
    'reload other.service if it runs',
    'write /f2 (new)',
    'reload nginx.service',
  ])
})

test('a socket that is restarted takes its service along', () => {
  const asked = (name: string) => ({ on: [idOf('file', '/f')], action: { kind: 'restart', unit: name } }) as const
  const web = service('web', [file('/f', 'x')], {
    triggers: ['a.service', 'a.socket', 'b.service', 'b.socket'].map(asked),
  })
  const here = {
    'unit:a.service': { type: 'unit', enabled: 'no', state: 'running' },
    'unit:a.socket': { type: 'unit', enabled: 'yes', state: 'running' },
    'unit:b.service': { type: 'unit', enabled: 'no', state: 'running' },
    'unit:b.socket': { type: 'unit', enabled: 'yes', state: 'stopped' },
  }
  const plan = planFor(compareHost(desiredHost([web]), none, live(here, [web])), { repair: 'by-policy' })
  expect(lines(plan)).toEqual(['write /f (new)', 'restart a.socket', 'restart b.service'])
})

test.each([
  [{ enabled: 'masked', state: 'stopped' }, { enabled: true, state: 'running' }, 'unmask, enable and start x.service'],
  [{ enabled: 'no', state: 'running' }, { enabled: true, state: 'stopped' }, 'enable and stop x.service'],
  [{ enabled: 'yes', state: 'restarting' }, { masked: true }, 'stop and mask x.service'],
  [{ enabled: 'masked until reboot', state: 'stopped' }, { masked: true }, 'mask x.service'],
] as const)('a unit that is %o and should be %o: %s', (here, wanted, line) => {
  const { enabled: _, state: __, ...bare } = unit('x.service')
  const web = service('web', [{ ...bare, ...wanted }])
  const there = live({ 'unit:x.service': { type: 'unit', ...here } }, [web])
  expect(lines(planFor(compareHost(desiredHost([web]), none, there), { repair: 'by-policy' }))).toEqual([line])
})

test('what a file triggered is recorded with it, so that its removal can be told', () => {
  const on = [idOf('file', '/a')]
  const web = service('web', [file('/a', 'x'), file('/b', 'x')], {
    triggers: [
      { on, action: { kind: 'reload', unit: 'web.service' } },
      { on, action: { kind: 'run', command: 'newaliases' } },
    ],
  })
  const here = live({ 'file:/a': liveFile('x'), 'file:/b': liveFile('x') }, [web])
  const record = planFor(compareHost(desiredHost([web]), none, here), { repair: 'by-policy' }).services[0]?.record
  expect(record?.resources.get(idOf('file', '/a'))?.triggers).toEqual([{ kind: 'reload', unit: 'web.service' }])
  expect(record?.resources.get(idOf('file', '/b'))).not.toHaveProperty('triggers')
})
