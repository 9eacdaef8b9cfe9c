// `plumb why PATH`: the commit that gave a managed path its present content. From a full clone, or from the server.
import { z } from 'zod'
import { PlumbError } from '../../shared/problem.ts'
import { createRun, type Run } from '../host/run.ts'
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
}

export async function why(path: string, options: WhyOptions, output: Output): Promise<number> {
  const server = options.server ?? (await readConfiguration(options.root))?.server
  const answers =
    options.repo === undefined && server !== undefined
      ? await whyFromServer(path, server, options.host)
      : await whyFromRepository(path, options.repo ?? '.', createRun())
  output.print({ json: answers, text: [whyText(answers)] })
  return 0
}

/** `repository` is a clone with its history. Throws PlumbError `usage` when nothing there manages the path. */
async function whyFromRepository(path: string, repository: string, run: Run): Promise<readonly Why[]> {
  const listed = await git(run, repository, ['ls-tree', '-r', '-z', '--name-only', 'HEAD'])
  const sources = listed.split('\0').filter((source) => source !== '' && manages(source, path))
  if (sources.length === 0) throw notManaged(path, repository)
  return await Promise.all(
    sources.map(async (source) => {
      const format = ['%H', '%an', '%aI', '%s', '%B'].join('%x00')
      const log = await git(run, repository, ['log', '-1', `--format=${format}`, 'HEAD', '--', source])
      const [revision = '', author = '', at = '', subject = '', message = ''] = log.split('\0')
      return { path, source, why: { revision, author, at, subject, message: message.trim() } }
    }),
  )
}

async function whyFromServer(path: string, server: string, host: string | undefined): Promise<readonly Why[]> {
  const url = new URL('/api/v1/why', server)
  url.searchParams.set('path', path)
  if (host !== undefined) url.searchParams.set('host', host)
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new PlumbError(
      {
        code: 'server-unreachable',
        message: `${server} does not answer.`,
        remedy: 'Is the server running? Or use --repo with a clone.',
      },
      { cause },
    )
  })
  if (!response.ok)
    throw new PlumbError({ code: 'usage', message: `${server} answered ${response.status} for ${path}.` })
  const answer = answerSchema.parse(await response.json())
  if (answer.length === 0) throw notManaged(path, server)
  return answer
}

function whyText(answers: readonly Why[]): string {
  return answers
    .map(({ source, why }) => {
      if (why === undefined) return `${source}: not committed yet`
      const body = why.message
        .split('\n')
        .map((line) => `    ${line}`)
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
  const command = ['git', '-C', repository, '-c', `safe.directory=${repository}`, ...args]
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
