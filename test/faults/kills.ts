// One case: an agent is killed in mid-apply, perhaps the next one too while it recovers, and the last one is let live. In the
// end every service is entirely old or entirely new, and an apply after that makes it new once and has then nothing to do.
import type { PhaseDone } from './agent-under-test.ts'
import type { Arena, Kill, Template, World } from './arena.ts'
import type { Contact } from './contact.ts'
import type { Operation } from './operations.ts'
import { differenceOf, lostIn, type Seen, seenIn, withoutNewPackages } from './seen.ts'

export type Case = {
  readonly seed: number
  /** Default `kept`. */
  readonly contact?: Contact
  /** The first in an apply of revision 2, each other one in a process that recovers and applies it again. */
  readonly kills: readonly Kill[]
}

export type Verdict = {
  readonly tried: Case
  /** Fewer than meant when a process had ended before its number was reached. */
  readonly killed: readonly { readonly operation: Operation; readonly kill: Kill }[]
  /** As the last process found them: what a person sees before anything is applied again. */
  readonly old: readonly string[]
  readonly new: readonly string[]
  /** What must not be; empty when all is well. */
  readonly faults: readonly string[]
}

export type Circumstances = {
  /** What is broken on purpose in every process (kill-at.ts). */
  readonly broken?: string
  /** How far the clock of each process is off, in turn. */
  readonly clockDays?: readonly number[]
}

export async function verdictOn(arena: Arena, tried: Case, circumstances: Circumstances = {}): Promise<Verdict> {
  const template = await arena.template(tried.seed)
  const world = arena.copyOf(template.world)
  arena.setContact(world, tried.contact ?? 'kept')
  const { broken, clockDays } = circumstances
  const during = (index: number) => ({
    ...(broken === undefined ? {} : { broken }),
    ...(clockDays === undefined ? {} : { clockDays: clockDays[index] ?? 0 }),
  })
  try {
    const killed: Verdict['killed'][number][] = []
    const faults: string[] = []
    for (const [index, kill] of tried.kills.entries()) {
      const phases = index === 0 ? (['apply'] as const) : (['recover', 'apply'] as const)
      const where = { world: world.directory, seed: tried.seed, revision: 2, phases } as const
      const ended = await arena.run(where, { kill, ...during(index) })
      if (ended.crash !== undefined) faults.push(`an agent crashed: ${ended.crash}`)
      if (ended.killed !== undefined) killed.push({ operation: ended.killed, kill })
    }
    const look = new LastLook(template, world, mustBeOld(tried, killed.length))
    const ended = await arena.run(
      { world: world.directory, seed: tried.seed, revision: 2, phases: ['recover', 'apply', 'apply'] },
      {
        between: (done) => {
          look.after(done)
          // Whoever repairs the network does it once everything was seen to be undone.
          arena.setContact(world, 'kept')
        },
        ...during(tried.kills.length),
      },
    )
    if (ended.crash !== undefined) faults.push(`the last agent crashed: ${ended.crash}`)
    faults.push(...look.faults)
    return { tried, killed, old: look.old, new: look.new, faults }
  } finally {
    arena.remove(world)
  }
}

/** `1:234:torn,17:before`, `1-lost:340:after`: seed, then the kills; what `--only` takes. */
export function caseText({ seed, contact = 'kept', kills }: Case): string {
  return `${seed}${contact === 'lost' ? '-lost' : ''}:${kills.map(({ at, how }) => `${at}:${how}`).join(',')}`
}

export function caseIn(text: string): Case {
  const [seed = '', ...rest] = text.split(':')
  const kills = rest
    .join(':')
    .split(',')
    .map((kill): Kill => {
      const [at = '', how = 'before'] = kill.split(':')
      if (how !== 'before' && how !== 'after' && how !== 'torn' && how !== 'together')
        throw new Error(`no way to kill: ${how}`)
      return { at: Number(at), how }
    })
  const contact = seed.endsWith('-lost') ? 'lost' : 'kept'
  return { seed: Number(seed.replace('-lost', '')), contact, kills }
}

/**
 * What cuts its host off is never kept; and killed when it has lost contact, or is about to, an apply is undone as a whole. One
 * that is killed while the next agent tries it again may have kept what it did before it lost contact.
 */
function mustBeOld({ contact, kills }: Case, killed: number): (service: string) => boolean {
  if (contact !== 'lost') return () => false
  return (service) => service === 'base' || (kills.length === 1 && killed === 1)
}

/** What is seen between the phases of the last process. */
class LastLook {
  readonly old: string[] = []
  readonly new: string[] = []
  readonly faults: string[] = []
  readonly #template: Template
  readonly #world: World
  readonly #mustBeOld: (service: string) => boolean
  #phase = 0

  constructor(template: Template, world: World, mustStayOld: (service: string) => boolean) {
    this.#template = template
    this.#world = world
    this.#mustBeOld = mustStayOld
  }

  after({ phase, problems, operations, changes, applied }: PhaseDone): void {
    this.#phase += 1
    const seen = seenIn(this.#world.directory, this.#world.host)
    this.faults.push(...problems.map((problem) => `${phase}: ${problem}`))
    this.faults.push(...seen.left.map((path) => `after ${phase}, left behind: ${path}`))
    if (seen.journal !== '') this.faults.push(`after ${phase} the journal is not empty: ${seen.journal.slice(0, 200)}`)
    if (phase === 'recover') this.#recovered(seen, applied)
    else this.#applied(seen)
    if (this.#phase === 3) this.#nothingToDo(operations, changes)
    this.#world.host.log.length = 0
  }

  /** Old, or new: nothing between, and the agent knows which. */
  #recovered({ services }: Seen, applied: PhaseDone['applied']): void {
    const { before, after } = this.#template
    for (const [name, lines] of services) {
      const wasOld = before.services.get(name) ?? []
      const isNew = same(lines, after.services.get(name) ?? [])
      const isOld = same(withoutNewPackages(lines, wasOld), wasOld)
      if (name === 'host' && !isOld) this.faults.push(...differenceOf(wasOld, lines).map((line) => `not ours: ${line}`))
      if (name === 'host') continue
      if (isNew && this.#mustBeOld(name)) this.faults.push(`${name} is new, although contact was lost`)
      if (isNew) this.new.push(name)
      else if (isOld) this.old.push(name)
      else
        this.faults.push(`${name} is neither old nor new. As it was before: ${differenceOf(wasOld, lines).join(' | ')}`)
      const passes = (name === 'fresh' && !isNew) || (['gone', 'back'].includes(name) && isNew)
      const expected = passes ? undefined : isNew ? 2 : 1
      if ((isNew || isOld) && applied[name] !== expected)
        this.faults.push(`${name} is at revision ${expected}, but recorded is ${applied[name]}`)
    }
  }

  #applied({ services }: Seen): void {
    for (const [name, lines] of services) {
      const wanted = this.#template.after.services.get(name) ?? []
      if (!same(lines, wanted))
        this.faults.push(`${name} is not as desired after the apply: ${differenceOf(wanted, lines).join(' | ')}`)
    }
    this.faults.push(...lostIn(this.#world.directory).map((path) => `what was typed into ${path} is lost`))
  }

  #nothingToDo(operations: readonly Operation[], changes: readonly string[]): void {
    const { host } = this.#world
    const done = operations.filter(
      ({ name, where }) => where.startsWith(host.root) || (name === 'spawn' && /^sh /.test(where)),
    )
    this.faults.push(...done.map(({ name, where }) => `a second apply did ${name} ${where}`))
    this.faults.push(...[...changes, ...host.log].map((line) => `a second apply did: ${line}`))
  }
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, index) => line === other[index])
}
