import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { fileError } from '../../shared/file-error.ts'

test.each(['EXDEV', 'EBUSY'])('%s of a link, a rename or a removal is a mount point', (code) => {
  const error = fileError(Object.assign(new Error('link'), { code }), '/etc/hosts', 'writing')

  expect(error.problems).toEqual([
    {
      code: 'apply-failed',
      message: 'it is a mount point, and cannot be replaced.',
      where: { file: '/etc/hosts' },
      remedy: expect.stringContaining('findmnt'),
    },
  ])
})

const canMount = process.geteuid?.() === 0

test.skipIf(!canMount)('an apply over a mounted file says so, and leaves what is mounted', { timeout: 600_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-mount-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const service = join(directory, 'fleet/services/s')
  for (const made of [join(service, 'files/etc'), join(directory, 'root/etc'), join(directory, 'state')])
    mkdirSync(made, { recursive: true })
  writeFileSync(join(directory, 'fleet/plumb.yaml'), 'version: 1\nhosts: { web-1: { services: [s] } }\n')
  writeFileSync(join(service, 'README.md'), '# s')
  writeFileSync(join(service, 'files/etc/hosts'), 'new')
  writeFileSync(join(directory, 'source'), 'old')
  writeFileSync(join(directory, 'root/etc/hosts'), '')
  const git = (...args: readonly string[]) =>
    execFileSync('git', [
      '-C',
      join(directory, 'fleet'),
      '-c',
      'user.name=A',
      '-c',
      'user.email=a@example.org',
      ...args,
    ])
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '-m', 'a commit')

  const script = 'mount --bind "$0/source" "$0/root/etc/hosts" && shift && "$@" 2>&1 || true'
  const plumb = [join(process.cwd(), 'scripts/plumb'), 'apply', '--repo', join(directory, 'fleet'), '--host', 'web-1']
  const places = ['--root', join(directory, 'root'), '--state', join(directory, 'state')]
  const words = ['-m', '--propagation', 'private', 'sh', '-c', script, directory, '', ...plumb, ...places]
  const output = execFileSync('unshare', words, { encoding: 'utf8' })

  expect(output).toContain('/etc/hosts: it is a mount point, and cannot be replaced.')
  expect(readFileSync(join(directory, 'source'), 'utf8')).toBe('old')
})
