// The container engine's event stream: docker's over its socket, podman's from its own command. One line of JSON an event.
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import { minimalEnvironment, searchPath, startChild } from '../../shared/platform/child.ts'
import type { Listening } from './source.ts'

const dockerSocket = '/var/run/docker.sock'
const filters = encodeURIComponent(JSON.stringify({ type: ['container', 'image'] }))
/** What a health check does every few seconds, and `docker exec`, change nothing that is looked at. */
const quiet = /^(?:exec_|attach|detach|top|resize|export|archive-path|extract-to-dir|copy|commit)/

/** Docker sends the headers at once; a daemon that accepts a connection and then hangs is asked again. */
const headersWithinMs = 30_000

/** Calls `changed` for every event of a container or an image - a name may move on to another image - but quiet ones; `ended` once when the stream is over. */
export function listenToDocker(changed: () => void, ended: () => void, socketPath = dockerSocket): Listening {
  const over = once(ended)
  const asked = request({ socketPath, path: `/events?filters=${filters}` }, (response) => {
    asked.setTimeout(0)
    if (response.statusCode === 200) readEvents(response, changed)
    else response.destroy()
    response.on('close', over)
  })
  asked.setTimeout(headersWithinMs, () => asked.destroy())
  asked.on('error', over)
  asked.on('close', over)
  asked.end()
  return { close: () => asked.destroy() }
}

/** As `listenToDocker`; podman writes its events without its service running. */
export function listenToPodman(changed: () => void, ended: () => void, path = searchPath): Listening {
  const args = ['events', '--format', 'json', '--filter', 'type=container', '--filter', 'type=image']
  const child = startChild('podman', args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    environment: { ...minimalEnvironment, PATH: path },
  })
  const over = once(ended)
  child.on('error', over)
  child.on('close', over)
  // Where no process could be started there may be no pipe either (EMFILE); the 'error' event follows.
  if (child.stdout) readEvents(child.stdout, changed)
  return { close: () => child.kill('SIGTERM') }
}

const eventSchema = z.object({ Action: z.string().optional(), Status: z.string().optional() })

/** The end of the stream is the caller's to notice, by 'close'. readline emits the errors of its input again as its own. */
function readEvents(stream: Readable, changed: () => void): void {
  const lines = createInterface({ input: stream, crlfDelay: Infinity })
  for (const one of [stream, lines]) one.on('error', () => undefined)
  lines.on('line', (line) => {
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
