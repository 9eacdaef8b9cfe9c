// Files of environment variables that a compose project names: compose resolves them away, so its files are read as they are written.
import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { readEnvironment } from '../../shared/repository/compose-environment.ts'
import { environmentFilesOf } from '../../shared/repository/compose-power.ts'
import { interpolate } from '../../shared/repository/compose-variables.ts'
import { composeYamlRules, readYaml } from '../../shared/repository/yaml.ts'
import type { ComposeResource } from '../../shared/resource.ts'

export type EnvironmentFile = { readonly service: string; readonly path: string }

/** `root`: where the project's files are staged, standing for `/`. With files that it includes or extends. */
export async function environmentFiles(
  { directory, file, overrides = [] }: Pick<ComposeResource, 'directory' | 'file' | 'overrides'>,
  root: string,
): Promise<readonly EnvironmentFile[]> {
  const { values } = readEnvironment(await textOf(`${root}${directory}/.env`))
  const found = new Map<string, EnvironmentFile>()
  const queue: string[] = [file, ...overrides]
  for (const path of queue) {
    if (queue.length > filesAtMost) break
    const staged = path.startsWith(`${directory}/`) ? `${root}${path}` : path
    const { value } = readYaml(path, interpolate(await textOf(staged), values).text, composeYamlRules)
    // Relative to its own directory, or to the project's, as versions of compose differ in.
    const meant = (written: string) => [posix.dirname(path), directory].map((each) => posix.resolve(each, written))
    for (const [service, fields] of Object.entries(fieldsOf(fieldsOf(value)['services']))) {
      for (const written of environmentFilesOf(fieldsOf(fields)))
        for (const each of meant(written)) found.set(`${service}\0${each}`, { service, path: each })
      const extended = fieldsOf(fieldsOf(fields)['extends'])['file']
      if (typeof extended === 'string') add(queue, meant(extended))
    }
    for (const each of listOf(fieldsOf(value)['include'])) {
      for (const written of textsIn(typeof each === 'string' ? each : fieldsOf(each)['path']))
        add(queue, meant(written))
      // Its variables may come to stand anywhere.
      for (const written of textsIn(fieldsOf(each)['env_file']))
        for (const named of meant(written)) found.set(`\0${named}`, { service: 'every service', path: named })
    }
  }
  return [...found.values()]
}

const filesAtMost = 200

function add(queue: string[], paths: readonly string[]): void {
  for (const path of paths) if (!queue.includes(path)) queue.push(path)
}

function textsIn(value: unknown): readonly string[] {
  return listOf(value).filter((each) => typeof each === 'string')
}

/** What cannot be read is for compose to say. */
async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? [] : [value]
}
