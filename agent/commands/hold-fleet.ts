// `plumb hold --fleet` and `plumb release --fleet`: the server tells the hosts. Asked over its API with an operator's token, which
// comes by the environment or a file, never as an argument.

import { readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { compact } from '../../shared/compact.ts'
import { errnoOf } from '../../shared/errno.ts'
import { type HoldTarget, holdTargetSchema } from '../../shared/hold.ts'
import { isPrivate } from '../../shared/platform/regular-file.ts'
import { PlumbError } from '../../shared/problem.ts'
import { holdText } from '../plan/hold-text.ts'
import { notAServer, requestServer, type ServerAnswer } from '../report/request-server.ts'
import { certificateIn, serverUrl } from '../report/server-tls.ts'
import { readConfiguration } from './configuration.ts'
import { type HoldWords, holdAsked, nameOf, person, targetOf, usage } from './hold.ts'
import { counted, type Output } from './output.ts'

export type FleetOptions = HoldWords & {
  readonly root: string
  readonly hosts?: readonly string[]
  readonly server?: string
  /** PEM file. */
  readonly certificate?: string
  readonly tokenFile?: string
}

const hostSchema = z.object({
  host: z.string(),
  state: z.enum(['in-force', 'asked', 'released']),
  releasedBy: z.string().optional(),
})
const holdSchema = z.object({
  /** Absent: made on the host itself, which ends it too. */
  id: z.string().optional(),
  services: z.array(holdTargetSchema),
  patterns: z.array(z.string()).optional(),
  by: z.string(),
  why: z.string(),
  until: z.string(),
  hosts: z.array(hostSchema),
})
const placedSchema = z.object({ hold: holdSchema, connected: z.number() })

type FleetHold = z.infer<typeof holdSchema>

export async function holdFleet(service: string, options: FleetOptions, output: Output): Promise<number> {
  const { seconds, ...asked } = holdAsked(service, options)
  const server = await serverFor(options)
  const by = `${person()}@${hostname()}`
  const hosts = options.hosts === undefined ? {} : { hosts: options.hosts }
  const { hold, connected } = await asking(server, holdsPath, placedSchema, {
    body: { ...asked, ...hosts, by, for: `${seconds}s` },
  })
  output.print({
    json: hold,
    text: [
      `${nameOf(asked.service)}: ${holdText(hold)} on ${counted(hold.hosts.length, 'host')}: ${hold.hosts.map(({ host }) => host).join(', ')}`,
      connectedText(connected, hold.hosts.length),
    ],
  })
  return 0
}

function connectedText(connected: number, hosts: number): string {
  if (connected === hosts) return hosts === 1 ? 'the host is notified' : `all ${hosts} hosts are notified`
  if (connected > 0) return `${connected} of ${hosts} hosts notified; the rest when they reconnect`
  return hosts === 1
    ? 'the host is not connected; it is notified when it reconnects'
    : `none of the ${hosts} hosts is connected; they are notified when they reconnect`
}

/** Of hosts and of the server alike. */
export async function listFleetHolds(options: FleetOptions, output: Output): Promise<number> {
  const holds = await asking(await serverFor(options), holdsPath, z.array(holdSchema), {})
  const text = holds.length === 0 ? ['nothing is held in the fleet'] : holds.map(lineOf)
  output.print({ json: holds, text })
  return 0
}

export async function releaseFleet(service: string, options: FleetOptions, output: Output): Promise<number> {
  const target = targetOf(service)
  const server = await serverFor(options)
  const holds = await asking(server, holdsPath, z.array(holdSchema), {})
  const chosen = holds.flatMap((hold) =>
    hold.id !== undefined && isMeant(hold, target, options) ? [{ ...hold, id: hold.id }] : [],
  )
  if (chosen.length === 0) {
    const shown =
      holds.length === 0
        ? 'Nothing is held.'
        : `Held: ${holds.map(lineOf).join('; ')}. What a person on a host holds is released there.`
    throw usage(
      `The server has no hold of ${nameOf(target)}${options.hosts === undefined ? '' : ` on ${hostsText(options.hosts)}`}.`,
      shown,
    )
  }
  for (const { id } of chosen)
    await asking(server, `${holdsPath}/${encodeURIComponent(id)}`, z.unknown(), { method: 'DELETE' })
  output.print({
    json: { released: chosen },
    text: chosen.map((hold) => `${nameOf(target)}: released on ${hostsText(hold.patterns)}; it was ${holdText(hold)}`),
  })
  return 0
}

/** `all hosts`, `web-1, web-2`, `hosts named web-*` */
function hostsText(patterns: readonly string[] = ['*']): string {
  if (patterns.includes('*')) return 'all hosts'
  const isNamed = patterns.every((pattern) => !/[*?]/.test(pattern))
  return isNamed ? patterns.join(', ') : `hosts named ${patterns.join(' or ')}`
}

const holdsPath = '/api/v1/holds'

function isMeant({ services, patterns = [] }: FleetHold, target: HoldTarget, { hosts }: FleetOptions): boolean {
  return (
    services.includes(target) && (hosts === undefined || patterns.toSorted().join() === [...hosts].toSorted().join())
  )
}

function lineOf(hold: FleetHold): string {
  const where = hold.hosts.map(({ host, state, releasedBy }) => {
    if (state === 'released') return `${host} (released there by ${releasedBy})`
    return state === 'asked' ? `${host} (not confirmed yet)` : host
  })
  return `${hold.services.map(nameOf).join(', ')}: ${holdText(hold)} on ${where.join(', ')}`
}

type Server = { readonly url: URL; readonly certificate: string | undefined; readonly token: string }
type Question = { readonly body?: object; readonly method?: 'DELETE' }

async function asking<Schema extends z.ZodType>(
  { url, certificate, token }: Server,
  path: string,
  schema: Schema,
  question: Question,
): Promise<z.infer<Schema>> {
  const remedy = 'Is the server running? On the host itself, plumb hold needs no server.'
  const answer = await requestServer({ url: new URL(path, url), certificate, token, remedy, ...question })
  if (answer.kind === 'refused') throw refused(url, answer)
  const parsed = schema.safeParse(answer.json)
  if (parsed.success) return parsed.data
  throw notAServer(url, answer.status)
}

function refused({ origin }: URL, { status, message, remedy }: Extract<ServerAnswer, { kind: 'refused' }>): PlumbError {
  const code = status === 401 ? 'token-refused' : 'usage'
  return new PlumbError({
    code,
    message: `${origin}: ${message}`,
    ...compact({ remedy }),
  })
}

/** The host's own server is known by its pinned certificate. */
async function serverFor({ root, server, certificate, tokenFile }: FleetOptions): Promise<Server> {
  const known = await readConfiguration(resolve(root))
  const address = server ?? known?.server
  if (address === undefined) throw usage('No server is known here.', 'Add --server https://NAME[:PORT].')
  const url = serverUrl(address)
  const isOwn = known?.server !== undefined && new URL(known.server).origin === url.origin
  const pinned = isOwn && known.certificate !== undefined ? join(resolve(root), known.certificate) : undefined
  const file = certificate ?? pinned
  return {
    url,
    certificate: file === undefined ? undefined : await certificateIn(file),
    token: await tokenGiven(tokenFile),
  }
}

/** From a file, else from the environment. Throws PlumbError `usage` when there is none. */
export async function tokenGiven(file: string | undefined): Promise<string> {
  const token = file === undefined ? process.env['PLUMB_TOKEN'] : await tokenIn(file)
  if (token !== undefined && token.trim() !== '') return token.trim()
  throw usage(
    'No operator token was given.',
    "Set PLUMB_TOKEN, or name a file by --token-file. It is operator-token in the server's data directory.",
  )
}

async function tokenIn(file: string): Promise<string> {
  const { mode } = await stat(file).catch(unreadable(file))
  if (isPrivate({ mode })) return await readFile(file, 'utf8').catch(unreadable(file))
  throw new PlumbError({
    code: 'secret-exposed',
    message: 'other users of this machine can read the token.',
    where: { file },
    remedy: `Make it yours alone: chmod 600 ${file}`,
  })
}

function unreadable(file: string): (error: unknown) => never {
  return (error) => {
    throw usage(`${file} cannot be read (${errnoOf(error)}).`, 'Name the file that holds the operator token.')
  }
}
