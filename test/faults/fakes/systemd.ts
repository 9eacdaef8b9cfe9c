// A fake of systemctl and what goes with it. A unit runs with the files as they were when it read them, and systemd
// itself knows unit files as they were at the last daemon-reload: what an undo forgets to tell shows.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FakeHost, type FakeProgram, refused, said, textAt } from './fake-host.ts'

export type FakeUnit = {
  enabled: boolean
  masked: boolean
  failed: boolean
  /** The unit file as systemd has read it. */
  loaded: string | undefined
  /** Undefined: it does not run. */
  running: { unit: string; config: string } | undefined
  /** Number of its start. */
  start: number
}

export const systemd: Readonly<Record<string, FakeProgram>> = {
  systemctl: (host, args) => {
    const [verb = '', ...names] = args.filter((arg) => !arg.startsWith('-'))
    const property = args.find((arg) => arg.startsWith('--property='))?.slice('--property='.length)
    if (verb === 'show') return said(names.map((name) => shown(host, name, property ?? '')).join('\n\n'))
    if (verb === 'list-units') return said()
    if (verb === 'is-enabled') return said(names.map((name) => enablement(host, name)).join('\n'))
    if (verb === 'daemon-reload') return daemonReload(host)
    const change = verbs[verb]
    if (change === undefined) return refused(`fake systemctl: no verb ${verb}`, 64)
    // Enabling at runtime is not faked, so there is nothing to take back.
    if (args.includes('--runtime')) return said()
    if (verb !== 'reset-failed') host.log.push([verb, ...names].join(' '))
    return names.map((name) => change(host, name)).every(Boolean) ? said() : refused(`${verb} failed`)
  },
  journalctl: () => said('the journal of a fake unit'),
  'systemd-sysusers': (host, args) => tool(host, 'systemd-sysusers', args),
  'systemd-tmpfiles': (host, args) => tool(host, 'systemd-tmpfiles', args),
  udevadm: (host, args) => tool(host, 'udevadm', args),
}

function tool(host: FakeHost, name: string, args: readonly string[]) {
  host.log.push([name, ...args].join(' '))
  return said()
}

type Verb = (host: FakeHost, name: string) => boolean

const verbs: Readonly<Record<string, Verb>> = {
  start: (host, name) => unitOf(host, name).running !== undefined || start(host, name),
  restart: start,
  stop: (host, name) => {
    unitOf(host, name).running = undefined
    return true
  },
  reload: (host, name) => {
    const { running } = unitOf(host, name)
    const config = running && configOf(host, running.unit)
    if (running === undefined || config === undefined || config.includes('broken')) return false
    running.config = config
    return true
  },
  enable: (host, name) => {
    if (unitFile(host, name) === undefined) return false
    unitOf(host, name).enabled = true
    return true
  },
  disable: (host, name) => {
    unitOf(host, name).enabled = false
    return true
  },
  mask: (host, name) => {
    // A mask is a link in the place of the file.
    if (textAt(host, join('etc/systemd/system', name)) !== undefined) return false
    unitOf(host, name).masked = true
    return true
  },
  unmask: (host, name) => {
    unitOf(host, name).masked = false
    return true
  },
  'reset-failed': (host, name) => {
    unitOf(host, name).failed = false
    return true
  },
}

/** One whose file or configuration says `broken` does not start. */
function start(host: FakeHost, name: string): boolean {
  const unit = unitOf(host, name)
  const text = unit.masked ? undefined : loadedOf(host, name)
  const config = text === undefined ? '' : configOf(host, text)
  const isBroken = text === undefined || text.includes('broken') || config.includes('broken')
  unit.running = isBroken ? undefined : { unit: text, config }
  unit.failed = isBroken
  host.made.count += 1
  unit.start = host.made.count
  return !isBroken
}

function daemonReload(host: FakeHost) {
  host.log.push('daemon-reload')
  for (const [name, unit] of host.units) unit.loaded = unitFile(host, name)
  return said()
}

function unitOf(host: FakeHost, name: string): FakeUnit {
  const unit = host.units.get(name) ?? {
    ...{ enabled: false, masked: false, failed: false, start: 0 },
    ...{ loaded: undefined, running: undefined },
  }
  host.units.set(name, unit)
  return unit
}

/** What systemd has never seen it reads when it is asked for it. */
function loadedOf(host: FakeHost, name: string): string | undefined {
  const unit = unitOf(host, name)
  unit.loaded ??= unitFile(host, name)
  return unit.loaded
}

const directories = ['etc/systemd/system', 'usr/lib/systemd/system']

/** With its drop-ins. */
export function unitFile(host: FakeHost, name: string): string | undefined {
  const [text] = directories.flatMap((directory) => textAt(host, join(directory, name)) ?? [])
  return text === undefined ? undefined : [text, ...dropIns(host, `etc/systemd/system/${name}.d`)].join('')
}

function dropIns(host: FakeHost, directory: string): readonly string[] {
  try {
    const names = readdirSync(join(host.root, directory)).filter((name) => name.endsWith('.conf'))
    return names.toSorted().map((name) => textAt(host, join(directory, name)) ?? '')
  } catch {
    return []
  }
}

/** Of the file that the unit names: `X-Config=/etc/web/web.conf`. */
function configOf(host: FakeHost, unit: string): string {
  const path = /^X-Config=(.*)$/m.exec(unit)?.[1]
  return path === undefined ? '' : (textAt(host, path) ?? '')
}

function enablement(host: FakeHost, name: string): string {
  const { masked, enabled } = unitOf(host, name)
  if (masked) return 'masked'
  if (enabled) return 'enabled'
  return unitFile(host, name) === undefined ? 'not-found' : 'disabled'
}

function shown(host: FakeHost, name: string, wanted: string): string {
  const text = loadedOf(host, name)
  const unit = unitOf(host, name)
  const isThere = text !== undefined || unit.running !== undefined
  const values: Readonly<Record<string, string>> = {
    Id: name,
    LoadState: unit.masked ? 'masked' : isThere ? 'loaded' : 'not-found',
    ActiveState: unit.running !== undefined ? 'active' : unit.failed ? 'failed' : 'inactive',
    SubState: unit.running !== undefined ? 'running' : 'dead',
    Result: unit.failed ? 'exit-code' : 'success',
    RemainAfterExit: 'no',
    Type: name.endsWith('.service') ? (/^Type=(.*)$/m.exec(text ?? '')?.[1] ?? 'simple') : '',
    UnitFileState: enablement(host, name),
    FragmentPath: fragmentOf(host, name),
    NeedDaemonReload: text !== undefined && text !== unitFile(host, name) ? 'yes' : 'no',
    CanReload: 'yes',
    ConditionResult: 'yes',
    ConditionTimestampMonotonic: '1',
    InvocationID: unit.running === undefined ? '' : String(unit.start),
    NRestarts: '0',
    Triggers: name.endsWith('.timer') ? name.replace(/timer$/, 'service') : '',
    TriggeredBy: '',
  }
  const properties = wanted === '' ? Object.keys(values) : wanted.split(',')
  return properties.map((property) => `${property}=${values[property] ?? ''}`).join('\n')
}

function fragmentOf(host: FakeHost, name: string): string {
  const directory = directories.find((each) => textAt(host, join(each, name)) !== undefined)
  return directory === undefined ? '' : `/${directory}/${name}`
}
