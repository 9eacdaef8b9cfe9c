// Where agents are killed: worlds copied from a template of their seed, with fake tools as real programs, and the agent as
// one bundled file that starts fast.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleOf } from '../../scripts/build-bundle.ts'
import type { Instructions, PhaseDone } from './agent-under-test.ts'
import type { Question, Reply } from './asking.ts'
import { type Contact, type ContactServer, openContactServer } from './contact.ts'
import { copyOf, type FakeHost, fakeHost } from './fakes/fake-host.ts'
import { type FakePrograms, fakeProgramsIn } from './fakes/programs.ts'
import { byHand, ofDistribution, type Seed } from './fleet.ts'
import type { KillHow, Operation } from './operations.ts'
import { differenceOf, type Seen, seenIn, withoutNewPackages } from './seen.ts'

export type Kill = { readonly at: number; readonly how: KillHow }

export type World = { readonly directory: string; readonly host: FakeHost }

/** Revision 1 applied and edited by hand; and how an apply of revision 2 ends that nobody kills and that keeps contact. */
export type Template = {
  readonly world: World
  readonly before: Seen
  readonly after: Seen
  readonly operations: readonly Operation[]
  /** Of one that loses contact, in the end: the undo of all of it, and a little before. */
  readonly lost: { readonly operations: readonly Operation[]; readonly from: number }
}

export type ProcessOptions = {
  readonly kill?: Kill
  /** kill-at.ts: what is broken on purpose. */
  readonly broken?: string
  /** How far its clock is off. */
  readonly clockDays?: number
  readonly onStart?: (child: ChildProcess) => void
  /** Called after each phase, while the process waits. */
  readonly between?: (done: PhaseDone) => void
}

export type Ended = {
  readonly phases: readonly PhaseDone[]
  /** The operation it was killed at; undefined when it ended by itself. */
  readonly killed: Operation | undefined
  /** What it said when it ended in neither way. */
  readonly crash: string | undefined
}

export class Arena {
  readonly #directory: string
  readonly #programs: FakePrograms
  readonly #server: ContactServer
  readonly #templates = new Map<Seed, Promise<Template>>()
  #copies = 0

  private constructor(directory: string, programs: FakePrograms, server: ContactServer) {
    this.#directory = directory
    this.#programs = programs
    this.#server = server
  }

  /** In memory where that can be had: a kill is about the order of things, and a disk would be most of the time. */
  static async open(): Promise<Arena> {
    const directory = mkdtempSync(join(memoryDirectory(), 'plumb-faults-'))
    for (const name of ['kill-at', 'agent-under-test'])
      writeFileSync(join(directory, `${name}.cjs`), await bundleOf(join(import.meta.dirname, `${name}.ts`)))
    const arena = new Arena(directory, await fakeProgramsIn(directory), await openContactServer())
    // Also when somebody ends a long run early.
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    return arena
  }

  async close(): Promise<void> {
    await this.#programs.close()
    await this.#server.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  template(seed: Seed): Promise<Template> {
    const known = this.#templates.get(seed)
    if (known !== undefined) return known
    const made = this.#makeTemplate(seed)
    this.#templates.set(seed, made)
    return made
  }

  copyOf({ directory, host }: World): World {
    this.#copies += 1
    const copy = join(this.#directory, `world-${this.#copies}`)
    execFileSync('cp', ['-a', directory, copy])
    const copied = copyOf(host, join(copy, 'root'))
    this.#programs.serve(copy, copied)
    return { directory: copy, host: copied }
  }

  setContact({ directory }: World, contact: Contact): void {
    this.#server.set(directory, contact)
  }

  remove({ directory }: World): void {
    this.#server.set(directory, 'kept')
    this.#programs.forget(directory)
    rmSync(directory, { recursive: true, force: true })
  }

  async run(
    instructions: Omit<Instructions, 'waits' | 'server'>,
    { kill, broken, clockDays, onStart, between }: ProcessOptions = {},
  ): Promise<Ended> {
    const server = this.#server.urlOf(instructions.world)
    const given: Instructions = { ...instructions, server, waits: between !== undefined }
    const child = spawn(
      process.execPath,
      [
        '--require',
        join(this.#directory, 'kill-at.cjs'),
        join(this.#directory, 'agent-under-test.cjs'),
        JSON.stringify(given),
      ],
      {
        cwd: given.world,
        stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
        env: {
          PATH: '/usr/bin:/bin',
          NODE_COMPILE_CACHE: join(this.#directory, 'compiled'),
          ...(kill === undefined ? {} : { PLUMB_KILL_AT: String(kill.at), PLUMB_KILL_HOW: kill.how }),
          ...(broken === undefined ? {} : { PLUMB_BREAK: broken }),
          ...(clockDays === undefined ? {} : { PLUMB_CLOCK_DAYS: String(clockDays) }),
        },
      },
    )
    onStart?.(child)
    child.on('message', ({ question, ...asked }: Question) => {
      const reply: Reply = { question, answer: this.#programs.answerIn(given.world, asked) }
      // An agent that was killed meanwhile hears nothing any more.
      child.send(reply, () => undefined)
    })
    return endOf(child, between)
  }

  async #makeTemplate(seed: Seed): Promise<Template> {
    const directory = join(this.#directory, `template-${seed}`)
    const root = join(directory, 'root')
    for (const [path, text] of Object.entries({ ...accounts, ...ofDistribution })) writeBelow(root, path, text)
    for (const path of ['run', 'srv', 'etc/systemd/system', 'srv/compose'])
      mkdirSync(join(root, path), { recursive: true })
    this.#programs.place(directory)
    const world = { directory, host: fakeHost(root) }
    this.#programs.serve(directory, world.host)
    mustBeWell(await this.run({ world: directory, seed, revision: 1, phases: ['apply'] }))
    for (const [path, text] of Object.entries(byHand)) writeBelow(root, path, text)
    const before = seenIn(directory, world.host)
    const { after, operations } = await this.#tryOn(world, { seed, contact: 'kept' })
    const lost = await this.#tryOn(world, { seed, contact: 'lost' })
    const difference = differencesOf(before, lost.after)
    if (difference.length > 0) throw new Error(`an apply that lost contact is not undone: ${difference.join('\n')}`)
    const from = conclusionOf(lost.operations, journalWrites(operations).length) - beforeLoss
    return { world, before, after, operations, lost: { operations: lost.operations, from } }
  }

  async #tryOn(world: World, { seed, contact }: { readonly seed: Seed; readonly contact: Contact }) {
    const copy = this.copyOf(world)
    this.setContact(copy, contact)
    const ended = await this.run({ world: copy.directory, seed, revision: 2, phases: ['apply'] })
    if (contact === 'kept') mustBeWell(ended)
    const after = seenIn(copy.directory, copy.host)
    this.remove(copy)
    return { after, operations: ended.phases.flatMap((phase) => phase.operations) }
  }
}

/**
 * Where an apply that lost contact says so in its journal: its record in the place of the last one of an apply that kept it. What
 * runs side by side, and how often something is asked that is waited for, differ from run to run.
 */
function conclusionOf(operations: readonly Operation[], records: number): number {
  const at = journalWrites(operations)[records - 1]
  if (at === undefined) throw new Error('an apply that lost contact has fewer records than one that kept it')
  return at
}

function journalWrites(operations: readonly Operation[]): readonly number[] {
  return operations.flatMap(({ name, where }, index) =>
    name === 'writeSync' && where.endsWith('/state/journal') ? [index] : [],
  )
}

/** So many operations before the one by which an apply gives itself up. */
const beforeLoss = 20

const accounts: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n',
  '/etc/group': 'root:x:0:\ndaemon:x:1:\n',
}

/** Where files cost no disk, if that can be had. */
export function memoryDirectory(): string {
  try {
    const probe = mkdtempSync('/dev/shm/plumb-probe-')
    rmSync(probe, { recursive: true })
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

function differencesOf(before: Seen, after: Seen): readonly string[] {
  return [...before.services].flatMap(([name, lines]) =>
    differenceOf(lines, withoutNewPackages(after.services.get(name) ?? [], lines)),
  )
}

function writeBelow(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

function mustBeWell(ended: Ended): Ended {
  const problems = [
    ...ended.phases.flatMap((phase) => phase.problems),
    ...(ended.crash === undefined ? [] : [ended.crash]),
  ]
  if (problems.length > 0) throw new Error(`an apply that nobody disturbs is not well: ${problems.join('\n')}`)
  return ended
}

async function endOf(child: ChildProcess, between: ProcessOptions['between']): Promise<Ended> {
  const phases: PhaseDone[] = []
  let killed: { readonly killed: Operation; readonly left: readonly number[] } | undefined
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  child.stdin?.on('error', () => undefined)
  if (child.stdout === null) throw new Error('no pipe')
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = JSON.parse(line)
    if ('killed' in told) killed = told
    else {
      phases.push(told)
      between?.(told)
      if (between !== undefined) child.stdin?.write('\n')
    }
  })
  // What a killed agent had asked for is done: its channel is read to the end.
  const silent = new Promise<void>((resolve) => child.once('disconnect', resolve))
  const [code, signal] = await new Promise<readonly [number | null, string | null]>((resolve) =>
    child.once('close', (...how) => resolve(how)),
  )
  await silent
  for (const pid of killed?.left ?? []) await ended(pid)
  const isWell = killed === undefined ? code === 0 : signal === 'SIGKILL'
  return { phases, killed: killed?.killed, crash: isWell ? undefined : `it ended with ${code ?? signal}: ${said}` }
}

/** What a killed agent had started runs on; what it still does is done when the next one looks. */
async function ended(pid: number): Promise<void> {
  while (isRunning(pid)) await sleep(2)
}

/** One that has ended and that nobody has asked after yet does not run. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch {
    return false
  }
}
