// A lab host: a booted Debian with its own systemd, disk and address.
import { existsSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { type Arguments, CommandFailed, outputNow, type Ran, type RunOptions, run } from './command.ts'
import { consoleOf, initOf, killContainer, startContainer } from './container.ts'
import { addressOf, deviceOf } from './places.ts'
import { type HostRecord, isAlive, type ProcessMark, writeRecord } from './records.ts'
import { eventually, GivenUp, generousMs } from './waiting.ts'

export type ExecOptions = Omit<RunOptions, 'stdin'>

export class LabHost {
  readonly name: string
  readonly address: string
  #record: HostRecord
  readonly #isKept: boolean

  constructor(record: HostRecord, isKept: boolean) {
    this.name = record.name
    this.address = addressOf(record.number)
    this.#record = record
    this.#isKept = isKept
  }

  get record(): HostRecord {
    return this.#record
  }

  /**
   * Returns when every unit of the boot has come up or failed, and the network is up. Also boots again what was stopped.
   * Without `network`, as soon as systemd answers: the host may have cut itself off.
   */
  async boot({ network = true }: { readonly network?: boolean } = {}): Promise<void> {
    if (this.#isOn()) throw new Error(`${this.name} is on already.`)
    const supervisor = startContainer(this.#record, this.#isKept)
    this.#note({ supervisor })
    await this.#systemd()
    if (!network) return
    const { stdout } = await this.exec(['systemctl', 'is-system-running', '--wait'])
    if (!['running', 'degraded'].includes(stdout.trim()))
      throw new Error(`${this.name} did not boot: systemd says ${stdout.trim()}.\n${this.console()}`)
    await this.output(['/lib/systemd/systemd-networkd-wait-online', '--interface=host0', '--timeout=300'])
  }

  /** Runs a program on the host as root, outside of any of its services. */
  async exec(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const init = this.#init()
    if (init === null) throw new Error(`${this.name} is off, so ${args.join(' ')} cannot run on it.`)
    return run([...entering(init), ...args], { ...options, env: { ...environment, ...options.env } })
  }

  /** The output of a program that must succeed there. */
  async output(args: Arguments, options: ExecOptions = {}): Promise<string> {
    const ran = await this.exec(args, options)
    if (ran.code === 0) return ran.stdout
    throw new CommandFailed([`${this.name}:`, ...args], ran, `exit ${ran.code}`)
  }

  async read(path: string): Promise<string> {
    return this.output(['cat', '--', path])
  }

  /** Makes the directories on the way. A file that is there keeps its mode and owner unless a mode is given. */
  async write(path: string, content: string | Buffer, mode?: string): Promise<void> {
    await this.output(['mkdir', '-p', '--', path.slice(0, Math.max(1, path.lastIndexOf('/')))])
    await this.output(['dd', `of=${path}`, 'status=none'], { input: content })
    if (mode !== undefined) await this.output(['chmod', mode, '--', path])
  }

  /** A file of the machine, of any size, into the host. */
  async copyIn(file: string, path: string, mode = '0644'): Promise<void> {
    await this.output(['mkdir', '-p', '--', path.slice(0, Math.max(1, path.lastIndexOf('/')))])
    const from = await open(file)
    try {
      const args = ['dd', `of=${path}`, 'bs=1M', 'status=none']
      const ran = await this.exec(args, { stdin: from.fd })
      if (ran.code !== 0) throw new CommandFailed([`${this.name}:`, ...args], ran, `exit ${ran.code}`)
    } finally {
      await from.close()
    }
    await this.output(['chmod', mode, '--', path])
  }

  /** Resolves when the unit is in the state; rejects at once, with its journal, when it failed instead. */
  async waitForUnit(unit: string, state = 'active', withinMs = generousMs): Promise<void> {
    await eventually(
      `${this.name}: ${unit} is ${state}`,
      async () => {
        const is = (await this.output(['systemctl', 'show', '-P', 'ActiveState', unit])).trim()
        if (is === state) return true
        if (is === 'failed') throw new GivenUp(`${this.name}: ${unit} failed.\n${await this.journal(unit)}`)
        throw new Error(`it is ${is}.`)
      },
      { withinMs, everyMs: 200 },
    )
  }

  async journal(unit: string, lines = 50): Promise<string> {
    return this.output(['journalctl', '--no-pager', '--output=short-precise', `--lines=${lines}`, '--unit', unit])
  }

  /** Services are stopped in order, as by `systemctl poweroff`. */
  async stop(): Promise<void> {
    const { supervisor } = this.#record
    if (supervisor === null || !isAlive(supervisor)) return
    await this.exec(['systemctl', 'poweroff'])
    await this.#end(supervisor)
  }

  /** No service is asked: every process is killed where it stands. */
  powerOff(): void {
    const { supervisor } = this.#record
    if (supervisor !== null) this.#off(supervisor)
  }

  async reboot(): Promise<void> {
    const { supervisor } = this.#record
    await this.exec(['systemctl', 'reboot'])
    // A container that reboots ends, and the process that started it starts it again.
    if (supervisor !== null) await this.#end(supervisor)
    await this.boot()
  }

  /** As when the cable is pulled: the machine and the other hosts cannot be reached from it, nor it from them. */
  cutNetwork(): void {
    outputNow(['ip', 'link', 'set', deviceOf(this.#record.number), 'down'])
  }

  restoreNetwork(): void {
    outputNow(['ip', 'link', 'set', deviceOf(this.#record.number), 'up'])
  }

  /** The end of what the host wrote on its console. */
  console(lines = 30): string {
    const file = consoleOf(this.#record.number)
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-lines).join('\n') : ''
  }

  #isOn(): boolean {
    const { supervisor } = this.#record
    return supervisor !== null && isAlive(supervisor)
  }

  #init(): number | null {
    const { supervisor } = this.#record
    return supervisor === null || !isAlive(supervisor) ? null : initOf(supervisor)
  }

  async #systemd(): Promise<void> {
    await eventually(
      `${this.name}: its systemd answers`,
      () => {
        if (!this.#isOn()) throw new GivenUp(`${this.name} did not boot.\n${this.console()}`)
        const init = this.#init()
        return init !== null && existsSync(`/proc/${init}/root/run/dbus/system_bus_socket`) ? true : undefined
      },
      { everyMs: 50 },
    )
  }

  async #end(supervisor: ProcessMark): Promise<void> {
    await eventually(`${this.name} is off`, () => !isAlive(supervisor) || undefined, { withinMs: generousMs })
    this.#off(supervisor)
  }

  #off(supervisor: ProcessMark): void {
    killContainer(this.#record.number, supervisor)
    this.#note({ supervisor: null })
  }

  #note(change: Partial<HostRecord>): void {
    this.#record = { ...this.#record, ...change }
    writeRecord(this.#record)
  }
}

/** How to run a program among the processes of a host whose systemd has this pid. */
export function entering(init: number): Arguments {
  return ['nsenter', '--target', String(init), '--all', '--root', '--wd', '--']
}

/** A host's root does not have this machine's environment. */
export const environment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
}
