// Who called: under sudo, what is done in their name runs as them, with their home and without what is not git's to know.

import { existsSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withScratch } from '../../../agent/adopt/scratch.ts'
import { operatorFrom } from '../../../agent/host/operator.ts'

const isRoot = process.getuid?.() === 0
if (!isRoot) console.log('what sudo does is not shown here: only root can be somebody else')
const underSudo = {
  PATH: process.env['PATH'],
  HOME: '/root',
  SUDO_UID: '65534',
  SUDO_GID: '65534',
  SUDO_USER: 'nobody',
}

test.skipIf(!isRoot)('under sudo a program runs as the person who called it, in no group of root', async () => {
  const { user, environment, run } = await operatorFrom({ ...underSudo, SSH_AUTH_SOCK: '/run/agent' })
  expect(user).toEqual({ uid: 65534, gid: 65534 })
  expect(environment).toMatchObject({ USER: 'nobody', SSH_AUTH_SOCK: '/run/agent' })
  expect(environment['HOME']).not.toBe('/root')
  expect(Object.keys(environment).filter((name) => name.startsWith('SUDO_'))).toEqual([])
  const { stdout } = await run({ args: ['sh', '-c', 'id -u; id -G'], ...(user === undefined ? {} : { user }) })
  expect(stdout).toBe('65534\n65534\n')
})

test('a token of ours, another repository, and what loads code are not handed to git', async () => {
  const { user, environment } = await operatorFrom({
    PLUMB_TOKEN: 'secret',
    GIT_DIR: '/x',
    GIT_INDEX_FILE: '/y',
    GIT_AUTHOR_NAME: 'Anna',
    SUDO_UID: '0',
    SUDO_GID: '0',
    LD_PRELOAD: '/x.so',
    NODE_OPTIONS: '--require /x.js',
    GIT_EXEC_PATH: '/x',
    GIT_SSH_COMMAND: 'ssh -i key',
  })
  expect(user).toBeUndefined()
  expect(environment).toEqual({ GIT_AUTHOR_NAME: 'Anna', GIT_SSH_COMMAND: 'ssh -i key' })
})

test.skipIf(!isRoot)(
  'the private directory is theirs, closed to others, and goes also when something fails',
  async () => {
    const operator = await operatorFrom(underSudo)
    let place = ''
    const failing = withScratch(operator, async ({ directory }) => {
      place = directory
      const { uid, mode } = statSync(directory)
      expect({ uid, mode: mode & 0o777 }).toEqual({ uid: 65534, mode: 0o700 })
      await operator.run({
        args: ['mkdir', `${directory}/more`],
        ...(operator.user === undefined ? {} : { user: operator.user }),
      })
      throw new Error('on the way')
    })
    await expect(failing).rejects.toThrow('on the way')
    expect(existsSync(place)).toBe(false)
  },
)
