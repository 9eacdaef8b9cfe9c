// One request to `git http-backend` as a CGI child: a web Request in, a streamed web Response out.

import type { ChildProcess } from 'node:child_process'
import { compact } from '../../shared/compact.ts'
import { searchPath, signalGroup, startChild } from '../../shared/platform/child.ts'
import { guarded } from '../../shared/platform/guarded.ts'
import { bounds } from '../allowance/bounds.ts'
import { serverGit } from './git.ts'

export type BackendCall = {
  readonly gitDirectory: string
  readonly configuration?: string
  readonly path: '/info/refs' | '/git-upload-pack'
  /** For git's own environment; unauthenticated requests do not come this far. */
  readonly user: string
  readonly body: Uint8Array
  readonly deadlineSeconds: number
  /** Ends the child. */
  readonly signal: AbortSignal
}

/**
 * Answers 500 or 504 itself when the child cannot; never rejects. The child ends with the answer or its reader. git
 * sends its head before it has read the request, so that what goes wrong later can only break the body off.
 */
export async function gitHttpBackend(request: Request, call: BackendCall): Promise<Response> {
  const child = startBackend(request, call)
  let refusal: Response | undefined
  const end = (why: Response) => {
    refusal ??= why
    signalGroup(child, 'SIGKILL')
  }
  const gone = guarded(
    () => signalGroup(child, 'SIGKILL'),
    () => {},
  )
  const late = guarded(() => end(new Response('git did not answer in time\n', { status: 504 })), gone)
  const timer = setTimeout(late, call.deadlineSeconds * 1000)
  child.once(
    'close',
    guarded(() => clearTimeout(timer), gone),
  )
  call.signal.addEventListener('abort', gone, { once: true })
  child.stdin?.end(call.body)
  const head = await readHead(child)
  if (head === undefined || refusal !== undefined) {
    signalGroup(child, 'SIGKILL')
    return refusal ?? new Response('git http-backend failed\n', { status: 500 })
  }
  return new Response(bodyOf(child, head.rest), { status: head.status, headers: head.headers })
}

function startBackend(request: Request, { configuration, ...call }: BackendCall): ChildProcess {
  const git = serverGit({ args: ['http-backend'], ...compact({ configuration }) })
  const [program = '', ...args] = git.args
  return startChild(program, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    environment: { PATH: searchPath, ...git.environment, ...cgiEnvironment(request, call) },
    detached: true,
  })
}

/** The variables of RFC 3875 that http-backend reads; the headers are the protocol version and the request's encoding. */
function cgiEnvironment(request: Request, call: BackendCall): Record<string, string> {
  const given: Record<string, string | null> = {
    CONTENT_TYPE: request.headers.get('content-type'),
    HTTP_CONTENT_ENCODING: request.headers.get('content-encoding'),
    GIT_PROTOCOL: request.headers.get('git-protocol'),
  }
  return {
    GIT_PROJECT_ROOT: call.gitDirectory,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_HTTP_MAX_REQUEST_BUFFER: String(bounds.mirrorBody.limit),
    PATH_INFO: call.path,
    // Not the client's own: git reads the last of several `service`.
    QUERY_STRING: call.path === '/info/refs' ? 'service=git-upload-pack' : '',
    REQUEST_METHOD: request.method,
    REMOTE_USER: call.user,
    ...Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== null)),
  }
}

type Head = { readonly status: number; readonly headers: Headers; readonly rest: Buffer }

/** Undefined when the child ends, or says more than a head's worth, before its head is complete. */
function readHead(child: ChildProcess): Promise<Head | undefined> {
  return new Promise((resolve) => {
    const stdout = child.stdout
    let read = Buffer.alloc(0)
    const resolveNone = () => resolve(undefined)
    const settle = (head: Head | undefined) => {
      stdout?.off('readable', more)
      child.off('error', none)
      stdout?.off('end', none)
      resolve(head)
    }
    const none = guarded(() => settle(undefined), resolveNone)
    const more = guarded(() => {
      for (let chunk = stdout?.read(); chunk !== null && chunk !== undefined; chunk = stdout?.read()) {
        read = Buffer.concat([read, chunk])
        const end = read.indexOf('\r\n\r\n')
        if (end >= 0) return settle(headOf(read.toString('latin1', 0, end), read.subarray(end + 4)))
        if (read.length > 64 * 1024) return none()
      }
    }, resolveNone)
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
      signalGroup(child, 'SIGKILL')
    }
  }
  return ReadableStream.from(chunks())
}

function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve, reject) => child.once('close', guarded(resolve, reject)))
}
