// What is pinned on a host: its name, its repository, its server. Written once by `plumb install`, read by every verb;
// neither the server nor the repository can change it.
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { absolutePathSchema, type HostName, hostNameSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { FileWriter } from '../host/files.ts'
import { placeFile } from './place-file.ts'

const configurationSchema = z.strictObject({
  host: hostNameSchema,
  repository: z.string().min(1).max(2000),
  branch: z.string().min(1).max(250).optional(),
  server: z.url({ protocol: /^https?$/ }).optional(),
  /** PEM file with the one certificate the server may show; without it the system's authorities decide. */
  certificate: absolutePathSchema.optional(),
})

export type Configuration = z.infer<typeof configurationSchema>

export const defaultState = '/var/lib/plumb'

export const configurationFile = absolutePathSchema.parse('/etc/plumb/agent.yaml')

export function secretsDirectory(root: string): string {
  return join(root, 'etc/plumb/secrets')
}

/** Undefined when the host has none; throws PlumbError `usage` when it is there and wrong. */
export async function readConfiguration(root: string): Promise<Configuration | undefined> {
  const path = join(root, configurationFile)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new PlumbError({
      code: 'usage',
      message: `${path} cannot be read (${error.code}).`,
      remedy: 'Run plumb as root.',
    })
  })
  if (text === undefined) return undefined
  const parsed = configurationSchema.safeParse(parse(text))
  if (parsed.success) return parsed.data
  throw new PlumbError({
    code: 'usage',
    message: `${path} is not a valid agent configuration: ${z.prettifyError(parsed.error)}`,
    remedy: 'Correct it, or run plumb install again.',
  })
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
