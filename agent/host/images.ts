// Images behind containers, by id: a name may be moved to another image while a container keeps its own.

import { z } from 'zod'
import type { Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import type { Container } from './docker.ts'
import { engineOf } from './engine.ts'

export const imageUseSchema = z.object({
  name: z.string(),
  /** What the container was made from. */
  id: z.string(),
  /** What the name stands for; left out when there is no such image. */
  named: z.string().optional(),
})

export type ImageUse = z.infer<typeof imageUseSchema>

/** One for each name; images that are named by a digest or id cannot move. */
export async function imagesInUse(own: readonly Container[], query: Run): Promise<readonly ImageUse[]> {
  const engine = await engineOf(query)
  if (engine === undefined || own.length === 0) return []
  const format = '{{.Image}} {{.Config.Image}}'
  const ids = own.map(({ id }) => id)
  const { stdout } = await query({
    args: [engine.name, 'inspect', '--type', 'container', '--format', format, '--', ...ids],
  })
  const lines = stdout.split('\n').map((line) => line.split(' '))
  const uses = new Map(lines.flatMap(([id = '', name = '']) => (isMovable(name) ? [[name, bare(id)] as const] : [])))
  return Promise.all(
    [...uses].map(async ([name, id]) => {
      const named = await idOf(name, query)
      return { name, id, ...compact({ named }) }
    }),
  )
}

/** Lets the names stand for the images that the containers were made from, where those are still there. */
export async function nameAsUsed(uses: readonly ImageUse[], run: Run): Promise<void> {
  for (const { name, id } of uses) if ((await idOf(name, run)) !== id) await tag(id, name, run)
}

/** Lets the names stand for what they did. */
export async function nameAsBefore(uses: readonly ImageUse[], run: Run): Promise<void> {
  for (const { name, id, named } of uses) if (named !== undefined && named !== id) await tag(named, name, run)
}

function isMovable(name: string): boolean {
  return name !== '' && !name.includes('@') && !/^(?:sha256:)?[0-9a-f]{12,64}$/.test(name)
}

async function idOf(name: string, query: Run): Promise<string | undefined> {
  const engine = await engineOf(query)
  if (engine === undefined) return undefined
  const { code, stdout } = await query({ args: [engine.name, 'image', 'inspect', '--format', '{{.Id}}', '--', name] })
  return code === 0 ? bare(stdout.trim()) : undefined
}

/** An image that was removed meanwhile is not there to be named: the restore then says what it finds. */
async function tag(id: string, name: string, run: Run): Promise<void> {
  const engine = await engineOf(run)
  if (engine !== undefined) await run({ args: [engine.name, 'tag', '--', id, name] })
}

/** Docker writes `sha256:` before an id where podman does not. */
function bare(id: string): string {
  return id.replace('sha256:', '')
}
