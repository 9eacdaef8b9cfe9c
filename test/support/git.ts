// Real repositories in temporary directories and a real smart HTTP server over them, for tests.
// `const fleet = await makeRepository({ 'plumb.yaml': 'version: 1\n' })`, `await fleet.commit({ ... })`,
// `const remote = await serveRepository(fleet)`.
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { basicCredentials, mirrorPath } from '../../server/repository/mirror.ts'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { mirrorRoutes } from './mirror.ts'

/** A text, `{ executable }`, `{ link }`, or null for a file that the commit removes. */
export type TestFile = string | Uint8Array | { readonly executable: string } | { readonly link: string } | null
export type TestFiles = Readonly<Record<string, TestFile>>

export type CommitOptions = { readonly message?: string; readonly author?: string; readonly at?: string }

export type TestRepository = {
  /** The work tree; a fit local remote. */
  readonly directory: string
  readonly gitDirectory: string
  /** Writes the files, commits, and returns the commit. */
  commit(files: TestFiles, options?: CommitOptions): Promise<Revision>
  /** So many commits of plumb.yaml by one git; resolves to the last. */
  commitMany(count: number): Promise<Revision>
  /** Moves the branch back (or aside), as a force push does at a forge. */
  rewind(to: string): Promise<void>
  head(): Promise<Revision>
  /** The output of any git command in the work tree. */
  git(...args: readonly string[]): Promise<string>
  /** The same with something on its stdin. */
  input(text: string, ...args: readonly string[]): Promise<string>
  remove(): Promise<void>
}

/** One branch, `main`; with files, one commit. */
export async function makeRepository(files?: TestFiles, options?: CommitOptions): Promise<TestRepository> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-repository-'))
  const repository: TestRepository = {
    directory,
    gitDirectory: join(directory, '.git'),
    commit: async (changed, commitOptions = {}) => {
      for (const [path, content] of Object.entries(changed)) await place(join(directory, path), content)
      await repository.git('add', '--all')
      await git(
        directory,
        ['commit', '--quiet', '--allow-empty', '-m', commitOptions.message ?? 'a change'],
        commitOptions,
      )
      return await repository.head()
    },
    commitMany: async (count) => {
      const stream = Array.from({ length: count }, (_, n) => commitOf(`${n}`, n === 0)).join('')
      await repository.input(stream, 'fast-import', '--quiet')
      await repository.git('reset', '--quiet', '--hard')
      return await repository.head()
    },
    rewind: async (to) => void (await repository.git('reset', '--quiet', '--hard', to)),
    head: async () => revisionSchema.parse(await repository.git('rev-parse', 'HEAD')),
    git: (...args) => git(directory, args),
    input: (text, ...args) => git(directory, args, {}, text),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
  await repository.git('init', '--quiet', '--initial-branch=main')
  if (files !== undefined) await repository.commit(files, { message: 'the beginning', ...options })
  return repository
}

export type ServeOptions = {
  readonly username?: string
  readonly password?: string
  /** PEM; then the address is https. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Called for each request before git; true: the test has answered (or will never answer). */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Each request waits for it: a slow remote. */
  readonly hold?: () => Promise<void>
  readonly port?: number
  /** Default: loopback. */
  readonly address?: string
}

export type ServedRepository = {
  readonly url: string
  readonly port: number
  /** `GET /git/fleet.git/info/refs?...`, in the order they came. */
  readonly requests: readonly string[]
  /** Open ones, idle or not. */
  connections(): number
  /** The `authorization` header of each request. */
  readonly authorizations: readonly (string | undefined)[]
  close(): Promise<void>
}

/** `git http-backend` behind the project's own mirror, on a free port. */
export async function serveRepository(
  repository: { readonly gitDirectory: string },
  options: ServeOptions = {},
): Promise<ServedRepository> {
  const requests: string[] = []
  const authorizations: (string | undefined)[] = []
  const settings = await mkdtemp(join(tmpdir(), 'plumb-served-'))
  const configuration = join(settings, 'gitconfig')
  await writeFile(configuration, '[safe]\n\tdirectory = *\n')
  const routes = mirrorRoutes({
    clone: { gitDirectory: repository.gitDirectory, configuration },
    // Each request counts as another host's: what one host may do at once is not the forge's concern.
    authorize: (request) =>
      options.username === undefined || isKnown(request, options) ? `${crypto.randomUUID()}` : undefined,
  })
  const answer = getRequestListener((request) => routes.fetch(request))
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.method} ${request.url}`)
    authorizations.push(request.headers.authorization)
    if (options.intercept?.(request, response) === true) return
    if (options.hold === undefined) void answer(request, response)
    else void options.hold().then(() => answer(request, response))
  }
  const server = options.tls === undefined ? createHttpServer(listener) : createHttpsServer(options.tls, listener)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const address = options.address ?? '127.0.0.1'
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, address, resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${address}:${port}${mirrorPath}`,
    port,
    requests,
    authorizations,
    connections: () => sockets.size,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
      await rm(settings, { recursive: true, force: true })
    },
  }
}

/** Another self-signed certificate for a key, made by openssl. */
export async function certificateFor(key: string, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-key-'))
  await writeFile(join(directory, 'key.pem'), key)
  const names = /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`
  const { stdout } = await promisify(execFile)('openssl', [
    ...['req', '-x509', '-key', join(directory, 'key.pem'), '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`],
  ])
  await rm(directory, { recursive: true })
  return stdout
}

/** A self-signed certificate for these names, made by openssl. */
export async function makeCertificate(
  ...names: readonly string[]
): Promise<{ readonly key: string; readonly cert: string }> {
  const alternative = names.map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',')
  const { stdout } = await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-keyout', '-', '-out', '-', '-subj', `/CN=${names[0] ?? 'test'}`, '-addext', `subjectAltName=${alternative}`],
  ])
  const certificateAt = stdout.indexOf('-----BEGIN CERTIFICATE-----')
  return { key: stdout.slice(0, certificateAt), cert: stdout.slice(certificateAt) }
}

/** In the form git fast-import reads. */
function commitOf(text: string, first: boolean): string {
  const from = first ? 'from refs/heads/main^0\n' : ''
  const who = 'committer Ada <ada@example.org> 1793534400 +0000'
  const file = `M 100644 inline plumb.yaml\ndata ${text.length}\n${text}\n`
  return `commit refs/heads/main\n${who}\ndata 4\nmany\n${from}${file}\n`
}

async function place(path: string, content: TestFile): Promise<void> {
  await rm(path, { recursive: true, force: true })
  if (content === null) return
  await mkdir(dirname(path), { recursive: true })
  if (typeof content === 'string' || content instanceof Uint8Array) return await writeFile(path, content)
  if ('link' in content) return await symlink(content.link, path)
  await writeFile(path, content.executable)
  await chmod(path, 0o755)
}

function isKnown(request: Request, options: ServeOptions): boolean {
  const given = basicCredentials(request)
  return given?.username === options.username && given?.password === options.password
}

async function git(
  directory: string,
  args: readonly string[],
  options: CommitOptions = {},
  input = '',
): Promise<string> {
  const author = options.author ?? 'Ada'
  const at = options.at ?? '2026-11-01T12:00:00+00:00'
  const running = promisify(execFile)('git', [...args], {
    cwd: directory,
    maxBuffer: 64 * 1024 * 1024,
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: author,
      GIT_AUTHOR_EMAIL: `${author.toLowerCase()}@example.org`,
      GIT_COMMITTER_NAME: author,
      GIT_COMMITTER_EMAIL: `${author.toLowerCase()}@example.org`,
      GIT_AUTHOR_DATE: at,
      GIT_COMMITTER_DATE: at,
    },
  })
  // Most commands read nothing and may have ended before this.
  running.child.stdin?.on('error', () => {}).end(input)
  return (await running).stdout.trim()
}
