// `plumb agent`: the loop, its reports and its connection to the server, until a signal. What the systemd service runs.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { destination, type Logger, pino } from 'pino'
import type { ServerHold } from '../../shared/hold.ts'
import { PlumbError, problemLine, problemsOf } from '../../shared/problem.ts'
import { type Report, stateOf } from '../../shared/report.ts'
import { engineOf } from '../host/engine.ts'
import type { Agent } from '../look.ts'
import { Asks, type Clock, runLoop } from '../loop.ts'
import { passesOf } from '../pass.ts'
import { ServerConnection } from '../report/connection.ts'
import { readIdentity } from '../report/identity.ts'
import { openSpool } from '../report/spool.ts'
import { onceEach } from '../report-of.ts'
import type { HoldStore } from '../state/holds.ts'
import { acquireLock, type Lock } from '../state/lock.ts'
import { writeStatus } from '../state/status.ts'
import { agentVersion } from '../version.ts'
import { HostWatch } from '../watch/host-watch.ts'
import type { Configuration } from './configuration.ts'
import { type HostOptions, openAgent } from './open.ts'

export type RunAgentOptions = HostOptions & {
  /** Stop when standard input ends: for a supervisor that may be killed. */
  readonly attached?: boolean
}

export async function runAgent(options: RunAgentOptions): Promise<number> {
  const log = logger()
  const { agent, configuration } = await openAgent(options)
  const { directory } = agent.state
  const only = await onlyAgent(directory, log)
  const asks = new Asks()
  const held = adoptingHolds(agent.state.holds, asks, log)
  const connection = await connectionFor(configuration, { directory, root: agent.host.root, asks, held, log })
  const said = onlyNews(log)
  const logEnded = loggingEnded(agent.state.holds, log)
  const watch = watchOn(agent, asks)
  const giveBack = collectingGarbage()
  const pass = watchedPass(passesOf(agent), watch)
  log.info({ host: agent.name, version: agentVersion, server: configuration.server ?? 'none' }, 'agent started')
  try {
    await runLoop(
      {
        pass: (request) => pass({ ...request, onChange: (change) => log.info(change, 'applied') }),
        publish: async (found) => {
          const report = noted(directory, found)
          await logEnded()
          const isNews = said(report)
          connection?.publish(isNews ? report : undefined)
          giveBack()
        },
        asks,
        clock: systemClock,
      },
      stopSignal(options.attached === true),
    )
  } finally {
    watch.close()
    connection?.close()
    only?.release()
  }
  log.info('agent stopped')
  return 0
}

function watchOn({ host }: Agent, asks: Asks): HostWatch {
  return new HostWatch({
    root: host.root,
    system: host.capabilities.commands,
    ask: (what) => asks.ask(what),
    engine: async () => (await engineOf(host.run))?.name,
  })
}

/**
 * What passes leave behind is given back before the long wait, where it has come to something: a collection of everything costs more
 * than a look at a host at rest. The first, after all was read, is thorough: it also moves together what stays. The executable exposes it.
 */
function collectingGarbage(): () => void {
  let kept = 0
  return () => {
    if (globalThis.gc === undefined || process.memoryUsage().heapUsed < kept + garbageBytes) return
    globalThis.gc({ type: 'major', execution: 'sync', flavor: kept === 0 ? 'last-resort' : 'regular' })
    kept = process.memoryUsage().heapUsed
  }
}

const garbageBytes = 4 * 1024 * 1024

type Pass = ReturnType<typeof passesOf>

/** The same passes, with what is looked at watched between them. */
function watchedPass(pass: Pass, watch: HostWatch): Pass {
  return async (options) => {
    watch.beforeLook()
    const outcome = await pass(options)
    if (outcome.desired !== undefined) await watch.follow(outcome.desired)
    if (watch.problem === undefined) return outcome
    const problems = onceEach([...outcome.report.problems, watch.problem])
    return { ...outcome, report: { ...outcome.report, problems } }
  }
}

/** A log that cannot be written, as on a full disk, ends no agent. */
function logger(): Logger {
  return pino(
    { base: null },
    destination({ sync: true }).on('error', () => undefined),
  )
}

/** Throws PlumbError `locked`. Undefined where there is no room for a lock: then nothing can be applied, but much is to be reported. */
async function onlyAgent(directory: string, log: Logger): Promise<Lock | undefined> {
  try {
    return await acquireLock(join(directory, 'agent-lock'), { purpose: 'plumb agent', now: new Date() })
  } catch (error) {
    if (!(error instanceof PlumbError) || error.code === 'locked') throw error
    log.warn(error.message)
    return undefined
  }
}

/** Where `plumb status` reads it; when that fails, it is one more thing to report. */
function noted(directory: string, report: Report): Report {
  try {
    writeStatus(directory, report)
    return report
  } catch (error) {
    return { ...report, problems: onceEach([...report.problems, ...problemsOf(error)]) }
  }
}

const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  random: Math.random,
}

type ConnectionNeeds = {
  readonly directory: string
  readonly root: string
  readonly asks: Asks
  readonly held: (holds: readonly ServerHold[]) => void
  readonly log: Logger
}

/** None without a server: the agent is then the whole product for one host. */
async function connectionFor(
  { server, certificate, host }: Configuration,
  { directory, root, asks, held, log }: ConnectionNeeds,
): Promise<ServerConnection | undefined> {
  if (server === undefined) return undefined
  const identity = readIdentity(directory)
  if (identity === undefined) {
    log.warn({ server }, 'this host is not enrolled: it reports to nobody. Run plumb install with a new install line')
    return undefined
  }
  return new ServerConnection({
    server,
    host,
    identity,
    agentVersion,
    spool: openSpool(directory),
    asked: (what) => asks.ask(what),
    held,
    noted: (event) => log.info({ server, event }, 'server connection'),
    random: Math.random,
    ...(certificate === undefined ? {} : { certificate: await readFile(join(root, certificate), 'utf8') }),
  })
}

/** In the order they came; a change is looked at, and so reported, at once. */
function adoptingHolds(holds: HoldStore, asks: Asks, log: Logger): (listed: readonly ServerHold[]) => void {
  let adopting: Promise<void> = Promise.resolve()
  const adopt = async (listed: readonly ServerHold[]) => {
    if (!(await holds.adopt(listed))) return
    const active = holds.read().active.filter(({ origin }) => origin === 'server')
    log.info(
      { holds: active.map(({ service, by, why, until }) => ({ service, by, why, until })) },
      'held by the server',
    )
    asks.ask('check')
  }
  return (listed) => {
    adopting = adopting
      .then(() => adopt(listed))
      .catch((error: unknown) => log.error(`a hold of the server could not be kept: ${toldOf(error)}`))
  }
}

/** Each end once, for without a server there is nobody else to tell; and a full disk once, not in every pass. */
function loggingEnded(holds: HoldStore, log: Logger): () => Promise<void> {
  let failed = ''
  return async () => {
    try {
      for (const { service, by, why, since, until } of await holds.takeUnlogged())
        log.warn({ service, by, why, since, until }, 'a hold has ended: the normal policy applies again')
      failed = ''
    } catch (error) {
      if (toldOf(error) !== failed) log.error(`what is held cannot be read or written: ${toldOf(error)}`)
      failed = toldOf(error)
    }
  }
}

function toldOf(error: unknown): string {
  return problemsOf(error).map(problemLine).join('; ')
}

/** True for a report that says something the last one did not; that is also what is logged. */
function onlyNews(log: Logger): (report: Report) => boolean {
  let before = ''
  return (report) => {
    const { revision, services, problems, apply, endedHolds } = report
    const now = JSON.stringify([revision, services, problems, endedHolds])
    if (now === before && apply === undefined) return false
    before = now
    const states = Object.fromEntries(services.map((service) => [service.service, stateOf(service)]))
    log.info({ revision, states, problems: problems.map(problemLine) }, 'looked')
    return true
  }
}

function stopSignal(attached: boolean): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  if (attached) {
    process.stdin.on('end', () => stop.abort()).resume()
    // Open, it would keep the process: a supervisor waits for its end before it closes the pipe.
    stop.signal.addEventListener('abort', () => process.stdin.destroy())
  }
  return stop.signal
}
