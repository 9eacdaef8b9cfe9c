// What must hold after an apply: looked at again and again until it holds or its time is over.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { PlumbError } from '../../shared/problem.ts'
import type { Check } from '../../shared/resource.ts'
import { eventually } from './backoff.ts'
import { type Command, endText, type Run } from './run.ts'
import { journalEnd, unitStatuses } from './systemd.ts'

export type CheckOptions = {
  /** A service just started may need a moment: how long it gets altogether. */
  readonly withinSeconds?: number
}

/** Resolves when the check holds; throws PlumbError `check-failed` with what was seen last. */
export async function runCheck(check: Check, run: Run, options: CheckOptions = {}): Promise<void> {
  const withinSeconds = options.withinSeconds ?? 30
  let seen = ''
  const look = async () => {
    const fault = await faultOf(check, run)
    seen = fault ?? ''
    return fault === undefined ? true : undefined
  }
  if (await eventually(look, { seconds: withinSeconds, pauseMs: 500 })) return
  throw new PlumbError({
    code: 'check-failed',
    message: `The check ${checkText(check)} did not hold within ${withinSeconds} s: ${seen}`.slice(0, 4000),
    ...(check.kind === 'unit' ? { remedy: `See: journalctl -u ${check.unit}` } : {}),
  })
}

/** `http http://127.0.0.1/healthz`, as in service.yaml. */
export function checkText(check: Check): string {
  switch (check.kind) {
    case 'http':
      return `http ${check.url}`
    case 'tcp':
      return `tcp ${check.address}`
    case 'unit':
      return `unit ${check.unit}`
    case 'run':
      return `run \`${check.command}\``
  }
}

const attemptMs = 5000

function faultOf(check: Check, run: Run): Promise<string | undefined> {
  switch (check.kind) {
    case 'http':
      return httpFault(check.url)
    case 'tcp':
      return tcpFault(check.address)
    case 'unit':
      return unitFault(check.unit, run)
    case 'run':
      return commandFault(check.command, run)
  }
}

function httpFault(text: string): Promise<string | undefined> {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return Promise.resolve(`${text} is not an http or https address`)
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  // On the loopback nobody sits in the middle, and the certificate there names the public name.
  const options = { agent: false, rejectUnauthorized: !isLoopback(url.hostname) }
  return new Promise((resolve) => {
    const asked = request(url, options, (response) => {
      const status = response.statusCode ?? 0
      asked.destroy()
      resolve(status >= 200 && status < 400 ? undefined : `it answered ${status}`)
    })
    const overdue = setTimeout(() => asked.destroy(new Error(`no answer within ${attemptMs / 1000} s`)), attemptMs)
    asked.once('close', () => clearTimeout(overdue))
    asked.on('error', (error) => resolve(connectionText(error)))
    asked.end()
  })
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

function tcpFault(address: string): Promise<string | undefined> {
  const [, host = '', port = ''] = /^(?:tcp:\/\/)?(.*):(\d+)$/.exec(address) ?? []
  if (host === '') return Promise.resolve(`${address} is not HOST:PORT`)
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port: Number(port) })
    socket.setTimeout(attemptMs, () => socket.destroy(new Error(`no answer within ${attemptMs / 1000} s`)))
    socket.once('error', (error) => resolve(connectionText(error)))
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
  })
}

/** Addresses of both families that fail alike come as one error without a message of its own. */
function connectionText(error: Error): string {
  const errors = error instanceof AggregateError ? error.errors : [error]
  return errors.map((each) => (each instanceof Error ? each.message : String(each))).join(', ')
}

async function unitFault(name: string, run: Run): Promise<string | undefined> {
  const unit = (await unitStatuses([name], run)).get(name)
  if (unit === undefined || unit.loadState === 'not-found') return 'there is no such unit'
  if (unit.activeState === 'active' || unit.activeState === 'reloading') return undefined
  if (unit.activeState === 'inactive' && unit.type === 'oneshot' && unit.result === 'success') return undefined
  const journal = await journalEnd(name, run)
  return `it is ${unit.activeState} (${unit.subState}, ${unit.result})${journal === '' ? '' : `. Its journal ends:\n${journal}`}`
}

async function commandFault(text: string, run: Run): Promise<string | undefined> {
  const command: Command = { args: ['sh', '-c', text], deadlineSeconds: 30 }
  const result = await run(command)
  if (result.code === 0) return undefined
  const output = `${result.stdout}${result.stderr}`.trim().split('\n').slice(-8).join('\n')
  return `${endText(command, result)}${output === '' ? '' : `:\n${output}`}`
}
