// The agent's executables as this checkout makes them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { outputOf } from '../../scripts/lab/command.ts'
import { locked } from '../../scripts/lab/lock.ts'

const checkout = join(import.meta.dirname, '../..')
export const artifactsDirectory = join(checkout, 'build')

/** Does nothing when nothing changed since the last build; files of tests that run side by side take turns. */
export async function buildArtifacts(): Promise<void> {
  const build = () => outputOf([process.execPath, join(checkout, 'scripts/build.ts')], { timeoutMs: 300_000 })
  await locked(join(artifactsDirectory, '.lock'), build, () => {})
}

const artifactsSchema = z.object({
  version: z.string(),
  artifacts: z.array(z.object({ platform: z.string(), file: z.string(), gzSha256: z.string() })),
})

/** The text of a repository's .plumb/agent, with the address of each compressed executable. */
export async function agentPin(addressOf: (file: string) => string): Promise<string> {
  const text = await readFile(join(artifactsDirectory, 'artifacts.json'), 'utf8')
  const { version, artifacts } = artifactsSchema.parse(JSON.parse(text))
  const lines = artifacts.map(({ platform, file, gzSha256 }) => `${platform} ${gzSha256} ${addressOf(`${file}.gz`)}`)
  return [`version ${version}`, ...lines, ''].join('\n')
}
