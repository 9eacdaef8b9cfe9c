// The container engine's event stream: docker's over its socket, podman's from its own command. One line of JSON an event.
import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import type { Listening } from './source.ts'

const dockerSocket = '/var/run/docker.sock'
const filters = encodeURIComponent(JSON.stringify({ type: ['container', 'image'] }))
/** What a health check does every few seconds, and `docker exec`, change nothing that is looked at. */
const quiet = /^(?:exec_|attach|detach|top|resize|export|archive-path|extract-to-dir|copy|commit)/

/** Calls `changed` for every event of a container or an image - a name may move on to another image - but quiet ones; `ended` once when the stream is over. */
export function listenToDocker(changed: () => void, ended: () => void): Listening {
  const over = once(ended)
  const asked = request({ socketPath: dockerSocket, path: `/events?filters=${filters}` }, (response) => {
    if (response.statusCode !== 200) response.destroy()
    else readEvents(response, changed)
    response.on('close', over)
  })
  asked.on('error', over)
  asked.end()
  return { close: () => asked.destroy() }
}

/** As `listenToDocker`; podman writes its events without its service running. */
export function listenToPodman(changed: () => void, ended: () => void): Listening {
  const child = spawn(
    'podman',
    ['events', '--format', 'json', '--filter', 'type=container', '--filter', 'type=image'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const over = once(ended)
  child.on('error', over)
  child.on('close', over)
  readEvents(child.stdout, changed)
  return { close: () => child.kill('SIGTERM') }
}

const eventSchema = z.object({ Action: z.string().optional(), Status: z.string().optional() })

function readEvents(stream: Readable, changed: () => void): void {
  stream.on('error', () => undefined)
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    if (isLoud(line)) changed()
  })
}

/** What cannot be read counts: looking again costs little. */
function isLoud(line: string): boolean {
  try {
    const event = eventSchema.safeParse(JSON.parse(line))
    return !event.success || !quiet.test(event.data.Action ?? event.data.Status ?? '')
  } catch {
    return true
  }
}

function once(call: () => void): () => void {
  let isCalled = false
  return () => {
    if (!isCalled) call()
    isCalled = true
  }
}
