// A real auditd on this machine, whose kernel is the lab hosts' too: auditd itself cannot run within a container.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Arguments, type Ran, runNow } from '../../scripts/lab/command.ts'
import { labUnavailable } from '../../scripts/lab/lab.ts'
import { eventually } from '../../scripts/lab/waiting.ts'

/** Why the kernel's audit cannot be tried here; null when it can. */
export function auditUnavailable(): string | null {
  const reason = labUnavailable()
  if (reason !== null) return reason
  if (!existsSync(program('auditd'))) return 'there is no auditd; scripts/setup test unpacks one'
  const { code, stdout, stderr } = auditctl('-s')
  if (code !== 0) return `this kernel has no audit for us: ${stderr.trim()}`
  if (!/^pid 0$/m.test(stdout)) return 'an auditd runs here already'
  return /^enabled 2$/m.test(stdout) ? "the rules of this kernel's audit are locked" : null
}

export type MachineAudit = { close(): Promise<void> }

export type AuditOptions = {
  /** Where auditd writes, on this machine. */
  readonly log: string
  /** With everything below it, as the documentation advises for /etc. */
  readonly watched: string
}

export async function startAudit({ log, watched }: AuditOptions): Promise<MachineAudit> {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-auditd-'))
  const plugins = join(directory, 'plugins.d')
  mkdirSync(plugins)
  writeFileSync(join(directory, 'auditd.conf'), configuration({ log_file: log, plugin_dir: plugins }), { mode: 0o640 })
  const enabled = /^enabled (\d)$/m.exec(auditctl('-s').stdout)?.[1] ?? '0'
  const keeper = spawn('sh', ['-c', keeping, 'sh', directory, watched, enabled], {
    // A session of its own: a signal to the tests is not one to it.
    detached: true,
    env: { ...process.env, ...libraries(), AUDITD: program('auditd'), AUDITCTL: program('auditctl') },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let said = ''
  keeper.stderr?.on('data', (chunk: Buffer) => {
    said += chunk
  })
  const ended = once(keeper, 'exit')
  const close = async () => {
    keeper.stdin?.end()
    await ended
  }
  try {
    await eventually(
      'auditd takes what the kernel tells',
      () => (/^pid 0$/m.test(auditctl('-s').stdout) || !existsSync(log) ? undefined : true),
      { everyMs: 50 },
    )
    const added = auditctl('-w', watched, '-p', 'wa', '-k', 'plumb-lab')
    if (added.code !== 0) throw new Error(`no rule could be added: ${added.stderr}`)
    return { close }
  } catch (error) {
    await close()
    throw new Error(`auditd does not run: ${said}`, { cause: error })
  }
}

/** Undoes everything when its input ends: when a test says so, and when whoever ran the tests was killed. */
const keeping = `
"$AUDITD" -n -c "$1" &
cat > /dev/null
kill $!
wait
"$AUDITCTL" -W "$2" -p wa -k plumb-lab
"$AUDITCTL" -e "$3"
rm -r -- "$1"
`

/** What Debian's own auditd.conf says, but for these. */
function configuration(values: Readonly<Record<string, string>>): string {
  const own = { ...values, log_group: 'root', space_left_action: 'IGNORE', admin_space_left_action: 'IGNORE' }
  const lines = readFileSync(
    existsSync(unpacked) ? join(unpacked, debianConfiguration) : `/${debianConfiguration}`,
    'utf8',
  )
    .split('\n')
    .filter((line) => !Object.hasOwn(own, line.split(' ')[0] ?? ''))
  return [...lines, ...Object.entries(own).map(([name, value]) => `${name} = ${value}`), ''].join('\n')
}

const debianConfiguration = 'etc/audit/auditd.conf'
const unpacked = resolve('build/auditd')

function auditctl(...args: readonly string[]): Ran {
  const assigned = Object.entries(libraries()).map(([name, value]) => `${name}=${value}`)
  const command: Arguments = ['env', ...assigned, program('auditctl'), ...args]
  return runNow(command)
}

function program(name: string): string {
  const places = [unpacked, '/'].flatMap((root) => ['usr/sbin', 'sbin'].map((directory) => join(root, directory, name)))
  return places.find((place) => existsSync(place)) ?? `/usr/sbin/${name}`
}

/** `usr/lib/x86_64-linux-gnu` of what was unpacked. */
function libraries(): Readonly<Record<string, string>> {
  const directories = ['usr/lib', 'lib'].flatMap((directory) => {
    const above = join(unpacked, directory)
    return existsSync(above) ? readdirSync(above).map((name) => join(above, name)) : []
  })
  return { LD_LIBRARY_PATH: directories.filter((name) => name.endsWith('-linux-gnu')).join(':') }
}
