// What stands in the place of a token or key and is no regular file ends the start with a reason, and holds nothing.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addressOf } from '../../../server/notify/secrets.ts'

const root = join(import.meta.dirname, '../../..')
const run = promisify(execFile)
let data = ''

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'plumb-files-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const kinds: Readonly<Record<string, (path: string) => unknown>> = {
  'a FIFO': (path) => run('mkfifo', ['-m', '600', path]),
  'a link to a FIFO': async (path) => {
    await run('mkfifo', ['-m', '600', `${path}.fifo`])
    symlinkSync(`${path}.fifo`, path)
  },
  'a device': (path) => symlinkSync('/dev/zero', path),
  'a directory': (path) => mkdirSync(path, { mode: 0o700 }),
}

test.each([
  ['operator-token', 'a FIFO', []],
  ['operator-token', 'a device', []],
  ['operator-token', 'a directory', []],
  ['sync-token', 'a link to a FIFO', []],
  ['key.pem', 'a FIFO', ['--tls-key', 'key.pem', '--tls-cert', 'cert.pem']],
  ['cert.pem', 'a device', ['--tls-key', '/dev/null', '--tls-cert', 'cert.pem']],
])('%s that is %s', async (name, kind, options) => {
  await kinds[kind]?.(join(data, name))
  const repository = join(data, 'fleet')
  await run('git', ['init', '-q', '--bare', repository])

  const given = options.map((word) => (word.endsWith('.pem') ? join(data, word) : word))
  const places = ['--data', data, '--repository', repository, '--listen', '127.0.0.1:0']
  // Ended by the time limit, it would have no exit code.
  const ended = await run(process.execPath, ['--import', 'tsx', 'server/main.ts', ...places, ...given], {
    cwd: root,
    timeout: 120_000,
  }).catch((thrown: unknown) => thrown)

  expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/^plumb-server: .*(regular file|EISDIR)/) })
})

test.each(['a device', 'a directory'])('a secret that is %s is none', async (kind) => {
  mkdirSync(join(data, 'secrets'))
  await kinds[kind]?.(join(data, 'secrets/url'))

  expect(addressOf({ to: 'webhook', url: `\${{ secrets.url }}` }, join(data, 'secrets'))).toMatchObject({
    kind: 'unusable',
  })
})
