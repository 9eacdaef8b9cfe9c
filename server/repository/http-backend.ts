// One request to `git http-backend` as a CGI child: a web Request in, a streamed web Response out.
import { type ChildProcess, spawn } from 'node:child_process'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gitEnvironment, killGroup } from './git.ts'

export type BackendCall = {
  readonly gitDirectory: string
  readonly configuration?: string
  readonly path: '/info/refs' | '/git-upload-pack'
  /** For git's own environment; nobody unauthenticated comes this far. */
  readonly user: string
  readonly deadlineSeconds: number
  readonly bodyLimitBytes: number
}

/**
 * Answers 413, 500 or 504 itself when the child cannot; never rejects. The child ends with the answer or its reader. git
 * sends its head before it has read the request, so that what goes wrong later can only break the body off.
 */
export async function gitHttpBackend(request: Request, call: BackendCall): Promise<Response> {
  if (Number(request.headers.get('content-length') ?? 0) > call.bodyLimitBytes) return tooLarge()
  const child = spawn('git', ['http-backend'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...gitEnvironment(call.configuration), ...cgiEnvironment(request, call) },
  })
  let refusal: Response | undefined
  const end = (why: Response) => {
    refusal ??= why
    killGroup(child)
  }
  const late = () => end(new Response('git did not answer in time\n', { status: 504 }))
  const timer = setTimeout(late, call.deadlineSeconds * 1000)
  child.once('close', () => clearTimeout(timer))
  const gone = () => killGroup(child)
  request.signal.addEventListener('abort', gone, { once: true })
  feed(child, request, call.bodyLimitBytes).catch((error) => {
    if (error instanceof TooLarge) end(tooLarge())
  })
  const head = await readHead(child)
  if (head === undefined || refusal !== undefined) {
    killGroup(child)
    return refusal ?? new Response('git http-backend failed\n', { status: 500 })
  }
  return new Response(bodyOf(child, head.rest), { status: head.status, headers: head.headers })
}

/** The variables of RFC 3875 that http-backend reads; the headers are the protocol version and the request's encoding. */
function cgiEnvironment(request: Request, call: BackendCall): Record<string, string> {
  const url = new URL(request.url)
  const given: Record<string, string | null> = {
    CONTENT_TYPE: request.headers.get('content-type'),
    HTTP_CONTENT_ENCODING: request.headers.get('content-encoding'),
    GIT_PROTOCOL: request.headers.get('git-protocol'),
  }
  return {
    GIT_PROJECT_ROOT: call.gitDirectory,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_HTTP_MAX_REQUEST_BUFFER: String(call.bodyLimitBytes),
    PATH_INFO: call.path,
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method,
    REMOTE_USER: call.user,
    ...Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== null)),
  }
}

class TooLarge extends Error {}

function tooLarge(): Response {
  return new Response('the request is too large\n', { status: 413 })
}

async function feed(child: ChildProcess, request: Request, limitBytes: number): Promise<void> {
  if (child.stdin === null) return
  child.stdin.on('error', () => {})
  if (request.body === null) return void child.stdin.end()
  let size = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      if (size > limitBytes) done(new TooLarge())
      else done(null, chunk)
    },
  })
  await pipeline(Readable.fromWeb(request.body), counted, child.stdin)
}

type Head = { readonly status: number; readonly headers: Headers; readonly rest: Buffer }

/** Undefined when the child ends, or says more than a head's worth, before its head is complete. */
function readHead(child: ChildProcess): Promise<Head | undefined> {
  return new Promise((resolve) => {
    const stdout = child.stdout
    let read = Buffer.alloc(0)
    const settle = (head: Head | undefined) => {
      stdout?.off('readable', more)
      child.off('error', none)
      stdout?.off('end', none)
      resolve(head)
    }
    const none = () => settle(undefined)
    const more = () => {
      for (let chunk = stdout?.read(); chunk !== null && chunk !== undefined; chunk = stdout?.read()) {
        read = Buffer.concat([read, chunk])
        const end = read.indexOf('\r\n\r\n')
        if (end >= 0) return settle(headOf(read.toString('latin1', 0, end), read.subarray(end + 4)))
        if (read.length > 64 * 1024) return none()
      }
    }
    stdout?.on('readable', more)
    stdout?.once('end', none)
    child.once('error', none)
  })
}

function headOf(text: string, rest: Buffer): Head {
  const lines = text
    .split('\r\n')
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  const status = Number(lines.find(([name]) => name?.toLowerCase() === 'status')?.[1]?.slice(0, 3) ?? 200)
  const headers = new Headers()
  for (const [name = '', value = ''] of lines) if (name.toLowerCase() !== 'status') headers.set(name, value)
  return { status, headers, rest }
}

/** Read at the client's pace; a client that goes away takes the child with it. */
function bodyOf(child: ChildProcess, rest: Buffer): ReadableStream<Uint8Array> {
  const stdout = child.stdout
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      if (rest.length > 0) yield rest
      if (stdout !== null) for await (const chunk of stdout) yield chunk
      if ((await exitCode(child)) !== 0) throw new Error('git http-backend ended early')
    } finally {
      killGroup(child)
    }
  }
  return ReadableStream.from(chunks())
}

function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('close', (code) => resolve(code)))
}
