// What the hosts of the fault suite must stay in contact with: a tiny real server on the loopback, at an address for each world.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { cutsOff } from './fleet.ts'

/** `lost`: what revision 2 brings cuts its host off, as a firewall would, until it is put back. */
export type Contact = 'kept' | 'lost'

export type ContactServer = {
  urlOf(world: string): string
  set(world: string, contact: Contact): void
  close(): Promise<void>
}

export async function openContactServer(): Promise<ContactServer> {
  const guarded = new Set<string>()
  const server = createServer((request, response) => {
    const world = decodeURIComponent((request.url ?? '').slice(1))
    if (guarded.has(world) && isCutOff(world)) request.socket.destroy()
    else response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    urlOf: (world) => `http://127.0.0.1:${address.port}/${encodeURIComponent(world)}`,
    set: (world, contact) => {
      if (contact === 'lost') guarded.add(world)
      else guarded.delete(world)
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function isCutOff(world: string): boolean {
  try {
    return readFileSync(join(world, 'root', cutsOff.path), 'utf8') === cutsOff.content
  } catch {
    return false
  }
}
