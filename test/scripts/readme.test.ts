// The README's tour beside a running `npm start`: every line of its code is typed as it stands there, and exits as it says.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const checkout = join(import.meta.dirname, '../..')

let directory: string
let environment: NodeJS.ProcessEnv
let started: ChildProcess

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-tour-'))
  await mkdir(join(directory, 'home'))
  // A newcomer's git knows no name yet.
  const nobody = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
  const home = { HOME: join(directory, 'home'), PLUMB_HOME: join(directory, '.plumb'), PORT: '0' }
  const path = `${join(checkout, 'node_modules/.bin')}:${process.env['PATH']}`
  environment = { PATH: path, ...home, ...nobody }
  started = spawn('node', ['--import', 'tsx', 'scripts/start.ts'], {
    ...{ cwd: checkout, env: environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
})

afterEach(async () => {
  const ended = once(started, 'close')
  if (started.exitCode === null && started.kill('SIGINT')) await ended
  await rm(directory, { recursive: true, force: true })
})

test('every line of the tour works as it is written', { timeout: 300_000 }, async () => {
  await isUp()
  const lines = tourOf(await readFile(join(checkout, 'README.md'), 'utf8'))
  expect(lines.length).toBeGreaterThan(12)
  const functions = lines.filter((line) => /^\w+\(\) \{/.test(line))

  for (const line of lines) {
    const expected = Number(/# exits (\d+)/.exec(line)?.[1] ?? 0)
    expect(await typed([...functions, line].join('\n')), line).toMatchObject({ code: expected })
  }

  const branches = await typed('git -C .plumb/fleet branch --list "adopt/*"')
  expect(branches.out).toContain('adopt/')
  const conf = () => readFile(join(directory, '.plumb/hosts/web-1/root/etc/nginx/nginx.conf'), 'utf8')
  // The server fetches every few seconds.
  await vi.waitFor(async () => expect(await conf()).toContain('keepalive_timeout 30'), { timeout: 120_000 })
})

/** The code between "Five minutes" and the next heading. */
function tourOf(readme: string): readonly string[] {
  const [, tour = ''] = /^## Five minutes$(.*?)^## /ms.exec(readme) ?? []
  return [...tour.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, code = '']) => code.trim().split('\n'))
}

async function isUp(): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    started.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      if (said.includes('Ctrl-C stops it all.')) resolve()
    })
    started.once('close', () => reject(new Error(`it ended:\n${said}`)))
  })
}

/** In a folder that has the scripts of the checkout, and `.plumb` as `npm start` makes it. */
function typed(script: string): Promise<{ readonly code: number | null; readonly out: string }> {
  const here = script.replaceAll('./scripts/', `${checkout}/scripts/`)
  return new Promise((resolve) => {
    const child = execFile('sh', ['-c', here], { cwd: directory, env: environment }, (_, out, err) =>
      resolve({ code: child.exitCode, out: out + err }),
    )
  })
}
