// `plumb why` asked of a server: this host's own under its key, or another that anyone may read.
import { join, resolve } from 'node:path'
import { splitAddress } from '../../shared/address.ts'
import { PlumbError } from '../../shared/problem.ts'
import { whyAnswerSchema } from '../../shared/why.ts'
import { mirrorCredentials } from '../report/mirror-credentials.ts'
import { notAServer, requestServer, type ServerRequest } from '../report/request-server.ts'
import { certificateIn } from '../report/server-tls.ts'
import { readConfiguration } from './configuration.ts'
import type { WhyAsker, WhyOptions, WhyQuestion } from './why-asked.ts'

export type ServerAsked = Pick<ServerRequest, 'certificate' | 'credentials'> & {
  readonly address: string
  /** This host, when the server is its own. */
  readonly ownName?: string
}

/** This host's own server is known by its pinned certificate, and knows this host by its key; another answers what anyone may read. */
export async function serverAsked({
  server,
  certificate: given,
  root,
  state,
}: WhyOptions): Promise<ServerAsked | undefined> {
  const known = await readConfiguration(root)
  const address = server ?? known?.server
  if (address === undefined) return undefined
  const isOwn = known?.server !== undefined && URL.parse(address)?.origin === new URL(known.server).origin
  const pinned = isOwn && known.certificate !== undefined ? join(root, known.certificate) : undefined
  const file = given ?? pinned
  const certificate = file === undefined ? undefined : await certificateIn(file)
  if (!isOwn) return { address, certificate }
  const { host } = known
  return {
    address,
    ownName: host,
    certificate,
    credentials: mirrorCredentials({ stateDirectory: resolve(state), host })(),
  }
}

/** On a host its own server is asked about this host first, which is told what happened here; then about any. */
export function whyOfServer({ address, ownName, ...proof }: ServerAsked, host: string | undefined): WhyAsker {
  const { origin } = serverAddress(address)
  const askOf = async (about: string | undefined, question: WhyQuestion) => {
    const url = questionUrl(origin, about, question)
    const remedy = 'Is the server running? Or use --repo with a clone.'
    const answer = await requestServer({ url, ...proof, remedy, answerLimitBytes })
    if (answer.kind === 'refused' && answer.status === 404) return undefined
    if (answer.kind === 'refused') throw refused(`${origin}: ${answer.message}`)
    const parsed = whyAnswerSchema.safeParse(answer.json)
    if (parsed.success) return parsed.data
    throw notAServer(url, answer.status)
  }
  return {
    where: origin,
    ask: async (question) => {
      const answers = await askOf(host ?? ownName, question)
      return answers === undefined && host === undefined && ownName !== undefined
        ? await askOf(undefined, question)
        : answers
    },
  }
}

function questionUrl(origin: string, host: string | undefined, { path, lines, revision }: WhyQuestion): URL {
  const url = new URL('/api/v1/why', origin)
  url.searchParams.set('path', path)
  if (host !== undefined) url.searchParams.set('host', host)
  if (revision !== undefined) url.searchParams.set('revision', revision)
  if (lines === 'all') url.searchParams.set('lines', 'all')
  else if (lines !== undefined) url.searchParams.set('line', `${lines}`)
  return url
}

/** The largest file that is blamed, as JSON, with the messages of its commits. */
const answerLimitBytes = 32 * 1024 * 1024

function serverAddress(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return url
  throw new PlumbError({
    code: 'usage',
    message: `"${splitAddress(text).url}" is not the address of a server.`,
    remedy: 'Give it as https://NAME[:PORT].',
  })
}

function refused(message: string): PlumbError {
  return new PlumbError({ code: 'usage', message, remedy: 'Ask on a host of the fleet, or use --repo with a clone.' })
}
