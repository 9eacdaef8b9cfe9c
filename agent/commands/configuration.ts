// What is pinned on a host: its name, its repository, its server. Written once by `plumb install`, read by every verb;
// neither the server nor the repository can change it.

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { LineCounter, parseDocument, stringify } from 'yaml'
import { z } from 'zod'
import { splitAddress } from '../../shared/address.ts'
import { compact } from '../../shared/compact.ts'
import { errnoOf } from '../../shared/errno.ts'
import { absolutePathSchema, type HostName, hostNameSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { FileWriter } from '../host/files.ts'
import { placeFile } from './place-file.ts'

const configurationSchema = z.strictObject({
  host: hostNameSchema,
  repository: z.string().min(1).max(2000),
  /** For a repository over http(s); they stand here alone, never in its address. */
  credentials: z.strictObject({ username: z.string().max(1000), password: z.string().max(10_000) }).optional(),
  branch: z.string().min(1).max(250).optional(),
  server: z.url({ protocol: /^https?$/ }).optional(),
  /** PEM file of a certificate with the one key the server may have; without it the system's authorities decide. */
  certificate: absolutePathSchema.optional(),
})

export type Configuration = z.infer<typeof configurationSchema>

/** The server's read-only copy of the repository, which takes no push. */
export function followsMirror({ repository, server }: Pick<Configuration, 'repository' | 'server'>): boolean {
  return server !== undefined && URL.parse(repository)?.origin === new URL(server).origin
}

export const defaultState = '/var/lib/plumb'

export const configurationFile = absolutePathSchema.parse('/etc/plumb/agent.yaml')

export function secretsDirectory(root: string): string {
  return join(root, 'etc/plumb/secrets')
}

/** Undefined when the host has none; throws PlumbError `usage` when it is there and wrong. */
export async function readConfiguration(root: string): Promise<Configuration | undefined> {
  const path = join(root, configurationFile)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw new PlumbError({
      code: 'usage',
      message: `${path} cannot be read (${errnoOf(error)}).`,
      remedy: 'Run plumb as root.',
    })
  })
  if (text === undefined) return undefined
  const parsed = configurationSchema.safeParse(parsedYaml(text, path))
  if (parsed.success) return separated(parsed.data)
  const why = parsed.error.issues.map(issueText).join('; ')
  throw new PlumbError({
    code: 'usage',
    message: `${path} is not a valid agent configuration: ${why}.`,
    remedy: correctIt,
  })
}

const correctIt = 'Correct it, or run plumb install again.'

/** Messages of the library quote lines, aliases and tags: here they may be the password. Its codes and places do not. */
function parsedYaml(text: string, path: string): unknown {
  const lines = new LineCounter()
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, logLevel: 'silent' })
  const error = document.errors[0]
  if (error === undefined) {
    try {
      return document.toJS()
    } catch {
      throw new PlumbError({ code: 'usage', message: `aliases in ${path} cannot be followed.`, remedy: correctIt })
    }
  }
  const { line, col } = lines.linePos(error.pos[0])
  const where = { file: path, ...(line > 0 && col > 0 ? { line, column: col } : {}) }
  throw new PlumbError({ code: 'usage', message: `it is not YAML (${error.code}).`, where, remedy: correctIt })
}

/** Names only keys that are known: `password:hunter2` without a space is a key. */
function issueText({ code, path, message }: z.core.$ZodIssue): string {
  const at = path.length === 0 ? '' : `${path.join('.')}: `
  return code === 'unrecognized_keys' ? `${at}it has a key that is not known` : `${at}${message}`
}

/** Earlier versions kept the credentials in the address, and a person may write them there. */
function separated(configuration: Configuration): Configuration {
  const { url, credentials } = splitAddress(configuration.repository)
  return { ...compact({ credentials }), ...configuration, repository: url }
}

/** What goes with the repository as it was given: a known address keeps the credentials that it is known with. */
export function repositoryGiven(
  given: string,
  known: Configuration | undefined,
): Pick<Configuration, 'repository' | 'credentials'> {
  const { url, credentials } = splitAddress(given)
  const kept = credentials ?? (known?.repository === url ? known.credentials : undefined)
  return { repository: url, ...compact({ credentials: kept }) }
}

export async function writeConfiguration(files: FileWriter, configuration: Configuration): Promise<void> {
  const heading =
    '# Written by plumb install: what this host is and follows. Neither the server nor the repository can change it.\n'
  await placeFile(files, { path: configurationFile, text: heading + stringify(configuration), mode: 0o600 })
}

/** This machine's own name in the form plumb.yaml uses. */
export function ownHostName(): HostName {
  return hostNameSchema.parse(hostname().toLowerCase())
}
