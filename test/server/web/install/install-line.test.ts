// The install line, run as it stands by the shells that people paste it into: root on a machine with and without sudo.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { installLine } from '../../../../server/web/install/install-line.ts'
import { hostNameSchema } from '../../../../shared/names.ts'

const execute = promisify(execFile)
const line = installLine(
  new URL('https://plumb.example.org'),
  { kind: 'none' },
  'plumb_token',
  hostNameSchema.parse('web-1'),
)

/** A PATH with a curl that gives a script which says its arguments, and a sudo that says that it ran. */
async function pathWith({ sudo }: { readonly sudo: boolean }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-install-line-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const bin = join(directory, 'bin')
  await mkdir(bin)
  for (const shell of ['sh', 'bash']) await symlink(`/bin/${shell}`, join(bin, shell))
  await writeFile(join(bin, 'curl'), `#!/bin/sh\necho 'echo "installed $*"'\n`, { mode: 0o755 })
  if (sudo) await writeFile(join(bin, 'sudo'), '#!/bin/sh\necho by sudo\nexec "$@"\n', { mode: 0o755 })
  return bin
}

const withAlias = `shopt -s expand_aliases\nalias sudo='sudo '\n${line}`

test.each([
  ['sh', line, true],
  ['sh', line, false],
  ['bash', line, false],
  ['bash', withAlias, true],
])('%s, sudo: %#', async (shell, text, sudo) => {
  const { stdout } = await execute(`/bin/${shell}`, ['-c', text], { env: { PATH: await pathWith({ sudo }) } })
  expect(stdout).toBe(`${sudo ? 'by sudo\n' : ''}installed plumb_token web-1\n`)
})
