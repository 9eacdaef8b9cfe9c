// `plumb hold` and `plumb release` on a host: a service is left alone for a while - no apply, no repair, no alert of its drift - with
// or without a server, network or running agent.

import { userInfo } from 'node:os'
import { compact } from '../../shared/compact.ts'
import type { HoldTarget } from '../../shared/hold.ts'
import { holdReasonSchema, holdTargetSchema } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { PlumbError, problemLine } from '../../shared/problem.ts'
import { suggestion } from '../../shared/repository/nearest.ts'
import { durationSchema } from '../../shared/repository/scalars.ts'
import { type Agent, desiredAt } from '../inspect.ts'
import { holdText } from '../plan/hold-text.ts'
import type { KeptHold } from '../state/holds.ts'
import type { State } from '../state/state.ts'
import { readStatus } from '../state/status.ts'
import type { Output } from './output.ts'

/** A host as its state directory knows it. */
export type HeldHost = {
  readonly name: HostName
  readonly state: State
  /** Undefined where nothing says which repository it follows: what was applied and seen is known all the same. */
  readonly agent: Agent | undefined
}

/** As typed. */
export type HoldWords = { readonly for?: string; readonly why?: string }

export async function hold(host: HeldHost, service: string, words: HoldWords, output: Output): Promise<number> {
  const asked = holdAsked(service, words)
  await refuseUnknown(host, asked.service)
  const { hold: held, replaced } = await host.state.holds.add({ ...asked, by: `${person()}@${host.name}` })
  const underWay = await applyEnded(host)
  output.print({
    json: { hold: held, ...compact({ replaced }) },
    text: [
      `${nameOf(held.service)}: ${holdText(held)}: no apply, no repair and no drift alert; drift is still found and shown`,
      ...(replaced === undefined ? [] : [`before, it was ${holdText(replaced)}`]),
      ...underWay,
    ],
  })
  return 0
}

export function listHolds({ name, state }: HeldHost, output: Output): number {
  const { active, problems } = state.holds.read()
  output.print({
    json: active,
    text: [
      ...active.map(
        (one) => `${nameOf(one.service)}: ${holdText(one)}${one.origin === 'server' ? ', by the server' : ''}`,
      ),
      ...(active.length === 0 ? [`nothing is held on ${name}`] : []),
      ...problems.map(problemLine),
    ],
  })
  return problems.length > 0 ? 1 : 0
}

/** Also a hold that came by the server: for this host alone, and reported to it. */
export async function release(host: HeldHost, service: string, output: Output): Promise<number> {
  const target = targetOf(service)
  const released = await host.state.holds.release(target, `${person()}@${host.name}`)
  if (released.length === 0) throw notHeld(host, target)
  const { active } = host.state.holds.read()
  const still = active.filter((one) => target === '*' || one.service === '*')
  output.print({
    json: { released, still },
    text: [
      ...released.map((one) => `${nameOf(one.service)}: released; it was ${holdText(one)}${hereOnly(one)}`),
      ...still.map((one) => `${nameOf(one.service)}: still ${holdText(one)}`),
    ],
  })
  return 0
}

export type HoldAsked = { readonly service: HoldTarget; readonly seconds: number; readonly why: string }

/** Throws PlumbError `usage` for whatever is missing or wrong. */
export function holdAsked(service: string, words: HoldWords): HoldAsked {
  const seconds = durationSchema.safeParse(words.for)
  if (!seconds.success) {
    const given = words.for === undefined ? '' : `, not "${words.for}"`
    throw usage(`--for needs a duration of at most 14d${given}.`, 'As in: --for 30m, --for 2h or --for 1d')
  }
  const why = holdReasonSchema.safeParse(words.why)
  if (!why.success)
    throw usage(
      '--why needs the reason, on one line of at most 500 characters.',
      'Say it to those who meet the hold: --why "..."',
    )
  return { service: targetOf(service), seconds: seconds.data, why: why.data }
}

export function targetOf(text: string): HoldTarget {
  const target = holdTargetSchema.safeParse(text)
  if (target.success) return target.data
  throw usage(`"${text}" is no name of a service.`, "Give one, or '*' in quotes for all services.")
}

/** Who typed this: behind sudo, the person and not root. */
export function person(): string {
  const name = process.env['SUDO_USER'] ?? loginName()
  return name.replaceAll(/[^\w.-]/g, '_').slice(0, 64)
}

/** `caddy`, `all services`. */
export function nameOf(target: HoldTarget): string {
  return target === '*' ? 'all services' : target
}

export function usage(message: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'usage', message, remedy })
}

function loginName(): string {
  try {
    return userInfo().username
  } catch {
    // No entry in /etc/passwd, as in a container.
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}

/** What this host is known to have, without the network: what was applied, what was seen last, what the last good revision says. */
async function refuseUnknown({ name, state, agent }: HeldHost, target: HoldTarget): Promise<void> {
  if (target === '*') return
  const seen = [...state.baselines.read().baselines.keys(), ...servicesSeen(state)]
  if (seen.includes(target)) return
  const desired = agent === undefined ? [] : await servicesDesired(agent)
  const known = [...new Set([...seen, ...desired])]
  if (known.includes(target)) return
  const remedy =
    suggestion(target, known, 'services') ??
    'Nothing is known of its services yet: run plumb check, or start the agent.'
  throw usage(`${name} has no service "${target}".`, remedy)
}

function servicesSeen(state: State): readonly string[] {
  return readStatus(state.directory)?.services.map(({ service }) => service) ?? []
}

async function servicesDesired(agent: Agent): Promise<readonly string[]> {
  try {
    const good = await agent.repository.lastGood()
    return good === undefined ? [] : (await desiredAt(agent, good)).desired.services.map(({ name }) => name)
  } catch (error) {
    // A secret that is missing must not keep anybody from holding what is known.
    if (error instanceof PlumbError) return []
    throw error
  }
}

/** An apply that began before the hold does not know of it: whoever goes on to edit files must not meet it. */
async function applyEnded({ state }: HeldHost): Promise<readonly string[]> {
  try {
    const lock = await state.lock({ purpose: 'plumb hold', now: new Date(), waitSeconds: 60 })
    lock.release()
    return []
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    if (error.code !== 'locked') return []
    return [
      `an apply that began before is still under way: ${error.problems[0]?.message} The hold counts from its end.`,
    ]
  }
}

function hereOnly({ origin }: KeptHold): string {
  return origin === 'server' ? ', by the server, which is notified; other hosts keep it' : ''
}

function notHeld({ name, state }: HeldHost, target: HoldTarget): PlumbError {
  const { active } = state.holds.read()
  const all = active.find((one) => one.service === '*')
  if (all !== undefined)
    return usage(`All services of ${name} are ${holdText(all)}.`, "Release them together: plumb release '*'")
  return usage(`${nameOf(target)} is not held on ${name}.`, listed(name, active))
}

function listed(host: HostName, active: readonly KeptHold[]): string {
  if (active.length === 0) return `Nothing is held on ${host}.`
  return `Held: ${active.map(({ service }) => service).join(', ')}.`
}
