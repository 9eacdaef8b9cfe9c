// `plumb why PATH`: the commit that gave a managed path its present content. From a full clone, or from the server.
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { PlumbError } from '../../shared/problem.ts'
import { createRun, type Run } from '../host/run.ts'
import { type Asking, askServer, notAServer } from '../report/ask-server.ts'
import { mirrorCredentials } from '../report/mirror-credentials.ts'
import { readConfiguration } from './configuration.ts'
import type { Output } from './output.ts'

const commitSchema = z.object({
  revision: z.string(),
  author: z.string(),
  at: z.string(),
  subject: z.string(),
  message: z.string(),
})
const answerSchema = z.array(z.object({ path: z.string(), source: z.string(), why: commitSchema.optional() }))

/** A managed path, the repository's file behind it, and the commit that last changed that file. */
type Why = z.infer<typeof answerSchema>[number]

export type WhyOptions = {
  readonly repo?: string
  readonly server?: string
  readonly host?: string
  readonly root: string
  readonly state: string
}

export async function why(path: string, options: WhyOptions, output: Output): Promise<number> {
  const server = options.repo === undefined ? await serverAsked(options) : undefined
  const answers =
    server === undefined
      ? await whyFromRepository(path, options.repo ?? '.', createRun())
      : await whyFromServer(path, server, options.host)
  output.print({ json: answers, text: [whyText(answers)] })
  return 0
}

type ServerAsked = Pick<Asking, 'certificate' | 'credentials'> & { readonly address: string }

/** This host's own server is known by its pinned certificate, and knows this host by its key; another answers what anyone may read. */
async function serverAsked({ server, root, state }: WhyOptions): Promise<ServerAsked | undefined> {
  const known = await readConfiguration(root)
  const address = server ?? known?.server
  if (address === undefined) return undefined
  if (known?.server === undefined || URL.parse(address)?.origin !== new URL(known.server).origin) return { address }
  const { certificate, host } = known
  return {
    address,
    certificate: certificate === undefined ? undefined : await readFile(join(root, certificate), 'utf8'),
    credentials: mirrorCredentials({ stateDirectory: resolve(state), host })(),
  }
}

/** `repository` is a clone with its history. Throws PlumbError `usage` when nothing there manages the path. */
async function whyFromRepository(path: string, repository: string, run: Run): Promise<readonly Why[]> {
  const listed = await git(run, repository, ['ls-tree', '--full-tree', '-r', '-z', '--name-only', 'HEAD'])
  const sources = listed.split('\0').filter((source) => source !== '' && manages(source, path))
  if (sources.length === 0) throw notManaged(path, repository)
  return await Promise.all(
    sources.map(async (source) => {
      const format = ['%H', '%an', '%aI', '%s', '%B'].join('%x00')
      const log = await git(run, repository, [
        'log',
        '-1',
        `--format=${format}`,
        'HEAD',
        '--',
        `:(top,literal)${source}`,
      ])
      const [revision = '', author = '', at = '', subject = '', message = ''] = log.split('\0')
      return { path, source, why: { revision, author, at, subject, message: message.trim() } }
    }),
  )
}

async function whyFromServer(path: string, server: ServerAsked, host: string | undefined): Promise<readonly Why[]> {
  const { address, ...proof } = server
  const url = new URL(whyPath, serverAddress(address))
  url.searchParams.set('path', path)
  if (host !== undefined) url.searchParams.set('host', host)
  const answer = await askServer({ url, ...proof, remedy: 'Is the server running? Or use --repo with a clone.' })
  if (answer.kind === 'refused' && answer.status === 404) throw notManaged(path, url.origin)
  if (answer.kind === 'refused') {
    const message = `${url.origin}: ${answer.message}`
    throw new PlumbError({ code: 'usage', message, remedy: 'Ask on a host of the fleet, or use --repo with a clone.' })
  }
  const parsed = answerSchema.safeParse(answer.json)
  if (parsed.success) return parsed.data
  throw notAServer(url, answer.status)
}

const whyPath = '/api/v1/why'

function serverAddress(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return url
  throw new PlumbError({
    code: 'usage',
    message: `"${text}" is not the address of a server.`,
    remedy: 'Give it as https://NAME[:PORT].',
  })
}

function whyText(answers: readonly Why[]): string {
  return answers
    .map(({ source, why }) => {
      if (why === undefined) return `${source}: not committed yet`
      const body = why.message
        .split('\n')
        .map((line) => `    ${line}`.trimEnd())
        .join('\n')
      return `${source}\n  ${why.revision.slice(0, 12)} by ${why.author} on ${why.at}\n\n${body}`
    })
    .join('\n\n')
}

function manages(source: string, path: string): boolean {
  if (source === path) return true
  const [, service, ...rest] = source.split('/')
  if (!source.startsWith('services/') || service === undefined) return false
  return hostPathOf(rest) === path
}

/** Where `files/…` and `units/…` of a service live on a host; the repository's own path for the rest. */
function hostPathOf([place, ...rest]: readonly string[]): string | undefined {
  if (place === 'files') return `/${rest.join('/')}`
  if (place === 'units') return `/etc/systemd/system/${rest.join('/')}`
  return undefined
}

async function git(run: Run, repository: string, args: readonly string[]): Promise<string> {
  const command = ['git', '-C', repository, '-c', `safe.directory=${resolve(repository)}`, ...args]
  const result = await run({ args: command, outputLimitBytes: 64 * 1024 * 1024 })
  if (result.code === 127)
    throw new PlumbError({
      code: 'git-missing',
      message: 'git is not on this host.',
      remedy: 'Install git, or ask the server: plumb why PATH --server URL.',
    })
  if (result.code !== 0)
    throw new PlumbError({ code: 'usage', message: `${repository} cannot be read by git: ${result.stderr.trim()}` })
  return result.stdout
}

function notManaged(path: string, where: string): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `Nothing in ${where} manages ${path}.`,
    remedy: 'Give the path as it is on the host (/etc/motd) or in the repository (services/base/files/etc/motd).',
  })
}
