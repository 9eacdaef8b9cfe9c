// scripts/apt-get with a fake apt-get: how long another one holds a lock is up to the test.
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

const script = join(import.meta.dirname, '../../scripts/apt-get')
const listsLock = '/var/lib/apt/lists/lock. It is held by process 4711 (apt-get)'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-apt-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** The fake says these lines in turn and fails with each; then it succeeds. */
async function aptGet(failures: readonly string[], ...args: readonly string[]) {
  await writeFile(join(directory, 'failures'), failures.map((line) => `${line}\n`).join(''))
  const fake = `#!/bin/sh
cd ${directory}
echo "$*" >> asked
[ -s failures ] || exit 0
head -n 1 failures >&2
sed -i 1d failures
exit 100
`
  await writeFile(join(directory, 'apt-get'), fake)
  await chmod(join(directory, 'apt-get'), 0o755)
  const env = { PATH: `${directory}:/usr/bin:/bin`, PLUMB_APT_RETRY_SECONDS: '0' }
  const ran = await promisify(execFile)(script, args, { env }).then(
    (ended) => ({ code: 0, ...ended }),
    (error) => error,
  )
  const asked = (await readFile(join(directory, 'asked'), 'utf8')).trim().split('\n')
  return { code: ran.code, out: ran.stdout, err: ran.stderr, asked }
}

test('an apt that nobody disturbs says nothing, and waits for the lock of dpkg by itself', async () => {
  expect(await aptGet([], 'install', '-y', 'curl')).toEqual({
    code: 0,
    out: '',
    err: '',
    asked: ['-q -o DPkg::Lock::Timeout=900 install -y curl'],
  })
})

test.each([
  ['lists', listsLock],
  ['downloads', '/var/cache/apt/archives/lock. It is held by process 12 (unattended-upgr)'],
  ['lists, by an older apt', '/var/lib/apt/lists/lock - open (11: Resource temporarily unavailable)'],
])('a lock on the %s is waited for, and who holds it is said once', async (_, lock) => {
  const failure = `E: Could not get lock ${lock}`
  const { code, out, asked } = await aptGet([failure, failure, failure], 'update')
  expect({ code, out, tries: asked.length }).toEqual({
    code: 0,
    out: `setup: waiting for another apt, which holds ${lock}\n`,
    tries: 4,
  })
})

test('any other failure ends it at once, with the end of what apt said', async () => {
  const failure = 'E: Unable to locate package crul'
  const { code, err, asked } = await aptGet([failure, failure], 'install', 'crul')
  expect({ code, tries: asked.length }).toEqual({ code: 100, tries: 1 })
  expect(err).toMatch(/^E: Unable to locate package crul\nsetup: apt-get install failed; the whole output is in \//)
  await rm(/ is in (\S+)/.exec(err)?.[1] ?? '', { force: true })
})
