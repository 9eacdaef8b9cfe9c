// `plumb agent`: the loop, its reports and its connection to the server, until a signal. What the systemd service runs.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { withoutUserInformation } from '../../shared/address.ts'
import type { ServerHold } from '../../shared/hold.ts'
import { type LogLevel, openLog } from '../../shared/platform/log.ts'
import { PlumbError, problemLine, problemsOf } from '../../shared/problem.ts'
import { appliesIn, factsOf, type Report } from '../../shared/report.ts'
import { proveRestart, restartGuarded } from '../agent-restart.ts'
import { engineOf } from '../host/engine.ts'
import type { Agent } from '../inspect.ts'
import { type Clock, Requests, runLoop } from '../loop.ts'
import { createReconciler, type Reconciler } from '../reconcile.ts'
import { dedupeProblems } from '../report/build.ts'
import { ServerConnection } from '../report/connection.ts'
import { readIdentity } from '../report/identity.ts'
import { machineMarker } from '../report/machine.ts'
import { openSpool } from '../report/spool.ts'
import type { AgentRestart } from '../state/agent-restart.ts'
import type { HoldStore } from '../state/holds.ts'
import { acquireLock, type Lock } from '../state/lock.ts'
import { writeStatus } from '../state/status.ts'
import { agentVersion } from '../version.ts'
import { Gather } from '../watch/gather.ts'
import { HostWatch } from '../watch/host-watch.ts'
import { withoutKnownSecrets } from '../writing/known-tokens.ts'
import type { Configuration } from './configuration.ts'
import { noticingCopy } from './copied-machine.ts'
import { type HostOptions, openAgent } from './open.ts'

export type RunAgentOptions = HostOptions & {
  /** Stop when standard input ends: for a supervisor that may be killed. */
  readonly attached?: boolean
  readonly logLevel: LogLevel
}

export async function runAgent(options: RunAgentOptions): Promise<number> {
  const log = openLog({
    level: options.logLevel,
    namesProcess: false,
    mask: withoutUserInformation,
    maskTrace: withoutKnownSecrets,
  })
  endOnFault(log)
  const { agent, configuration } = await openAgent(options)
  const { directory } = agent.state
  const only = await onlyAgent(directory, log)
  const requests = new Requests()
  const held = serverHoldsReceiver(agent.state.holds, requests, log)
  const copied = noticingCopy(configuration, { state: options.state, requests, log })
  const connection = await connectionFor(configuration, {
    ...{ directory, root: agent.host.root, requests, held, log },
    takenForCopy: copied.noticed,
  })
  const said = onlyNews(log)
  const logEnded = loggingEnded(agent.state.holds, log)
  const watch = watchOn(agent, requests)
  const giveBack = collectingGarbage()
  const reconciler = createReconciler(agent)
  const pass = watchedPass(reconciler.pass, watch)
  let restart: AgentRestart | undefined
  log.info({ host: agent.name, version: agentVersion, server: configuration.server ?? 'none' }, 'agent started')
  try {
    await runLoop(
      {
        sync: async (stop) => {
          if (await reconciler.sync(stop)) await proveRestart(agent.host, agent.state)
        },
        pass: async (request) => {
          const outcome = await pass({ ...request, onChange: (change) => log.info(change, 'applied') })
          restart = outcome.restartsAgent
          return outcome
        },
        publish: async (found) => {
          const report = noted(directory, copied.toldIn(found))
          await logEnded()
          const isNews = said(report)
          connection?.publish(isNews ? report : undefined)
          giveBack()
          if (restart === undefined) return
          log.info('restarting: the unit of the agent changed')
          await restartGuarded(restart, agent.host, agent.state).catch((error: unknown) => log.error(toldOf(error)))
        },
        requests,
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

function watchOn({ host }: Agent, requests: Requests): HostWatch {
  return new HostWatch({
    root: host.root,
    system: host.capabilities.commands,
    ask: (what) => requests.add(what),
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

/** The same passes, with what is looked at watched between them. */
function watchedPass(pass: Reconciler['pass'], watch: HostWatch): Reconciler['pass'] {
  return async (options) => {
    watch.beforeLook()
    const outcome = await pass(options)
    if (outcome.desired !== undefined) await watch.follow(outcome.desired)
    if (watch.problem === undefined) return outcome
    const problems = dedupeProblems([...outcome.report.problems, watch.problem])
    return { ...outcome, report: { ...outcome.report, problems } }
  }
}

/**
 * The last net, under code that should have handled its own errors: what state this process is in is not known, so it ends at once, as
 * by a kill. systemd starts it again, and the journal then finishes or undoes an apply that was under way. A promise that was rejected
 * and not handled comes here, too.
 */
function endOnFault(log: Logger): void {
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'the agent ends by a fault of its own')
    process.exit(faultExitCode)
  })
}

/** sysexits(3): EX_SOFTWARE. */
const faultExitCode = 70

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
    return { ...report, problems: dedupeProblems([...report.problems, ...problemsOf(error)]) }
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
  readonly requests: Requests
  readonly held: (holds: readonly ServerHold[]) => void
  readonly takenForCopy: (isCopy: boolean) => void
  readonly log: Logger
}

/** None without a server: the agent is then the whole product for one host. */
async function connectionFor(
  { server, certificate, host }: Configuration,
  { directory, root, requests, held, takenForCopy, log }: ConnectionNeeds,
): Promise<ServerConnection | undefined> {
  if (server === undefined) return undefined
  const identity = readIdentity(directory)
  if (identity === undefined) {
    log.warn({ server }, 'this host is not enrolled: it reports to nobody. Run plumb install with a new install line')
    return undefined
  }
  // A server that asks in a loop, or is hostile, gets a check every few seconds; the loop itself bounds syncs.
  const checks = new Gather(() => requests.add('check'), serverChecks)
  return new ServerConnection({
    server,
    host,
    identity,
    machine: machineMarker(root),
    takenForCopy,
    agentVersion,
    spool: openSpool(directory),
    asked: (what) => (what === 'check' ? checks.event() : requests.add(what)),
    held,
    noted: (event) => log.info({ server, event }, 'server connection'),
    random: Math.random,
    ...(certificate === undefined ? {} : { certificate: await readFile(join(root, certificate), 'utf8') }),
  })
}

const serverChecks = { quietMs: 0, longestMs: 0, atOnce: 2, refillMs: 5000 }

/** In the order they came; a change is looked at, and so reported, at once. */
function serverHoldsReceiver(
  holds: HoldStore,
  requests: Requests,
  log: Logger,
): (listed: readonly ServerHold[]) => void {
  let replacing: Promise<void> = Promise.resolve()
  const replace = async (listed: readonly ServerHold[]) => {
    if (!(await holds.replaceServerHolds(listed))) return
    const active = holds.read().active.filter(({ origin }) => origin === 'server')
    log.info(
      { holds: active.map(({ service, by, why, until }) => ({ service, by, why, until })) },
      'held by the server',
    )
    requests.add('check')
  }
  return (listed) => {
    replacing = replacing
      .then(() => replace(listed))
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

/** True for a report that says something the last one did not; that is also what is logged, and each failed attempt at a service. */
function onlyNews(log: Logger): (report: Report) => boolean {
  let before = ''
  let failed: readonly string[] = []
  return (report) => {
    const { revision, services, problems, endedHolds } = report
    const now = JSON.stringify([revision, services, problems, endedHolds])
    if (now === before && appliesIn(report).length === 0) return false
    before = now
    const states = Object.fromEntries(
      services.map((service) => [service.service, factsOf(service).join(', ') || 'in-sync']),
    )
    log.info({ revision, states, problems: problems.map(problemLine) }, 'looked')
    const failures = services.flatMap(({ service, failure }) =>
      failure === undefined ? [] : [{ service, ...failure }],
    )
    for (const { problem, ...failure } of failures)
      if (!failed.includes(attemptOf(failure))) log.error(failure, `an apply failed: ${problemLine(problem)}`)
    failed = failures.map(attemptOf)
    return true
  }
}

function attemptOf({ service, at }: { readonly service: string; readonly at: string }): string {
  return `${service} at ${at}`
}

function stopSignal(attached: boolean): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  if (attached) {
    for (const event of ['end', 'error'] as const) process.stdin.on(event, () => stop.abort())
    process.stdin.resume()
    // Open, it would keep the process: a supervisor waits for its end before it closes the pipe.
    stop.signal.addEventListener('abort', () => process.stdin.destroy())
  }
  return stop.signal
}
