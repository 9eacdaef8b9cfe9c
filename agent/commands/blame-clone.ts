// `git blame` of a clone without the clone's settings: a `blame.ignoreRevsFile` that cannot be read fails every blame, and no other
// setting takes that one back. A git directory without settings borrows the clone's objects.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { blameArguments } from '../../shared/repository/blame.ts'
import type { Interruptible } from '../host/interruptible.ts'

export type BlameGit = {
  /** In the clone; rejects unless the exit code is 0. */
  inClone(...args: readonly string[]): Promise<string>
  /** The same without the clone. */
  closed(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<string>
  readonly atSignal: Interruptible['atSignal']
}

/** The porcelain of a file at HEAD. `top` is the directory that git's relative paths start from. */
export async function blameOfClone(source: string, top: string, git: BlameGit): Promise<string> {
  const asked = ['HEAD', '--git-path', 'objects', '--git-path', 'shallow'] as const
  const [revision = '', objects = '', shallow = ''] = (await git.inClone('rev-parse', ...asked)).split('\n')
  const scratch = await mkdtemp(join(tmpdir(), 'plumb-blame-'))
  git.atSignal({ args: ['rm', '-rf', '--', scratch] })
  try {
    await makeGitDirectory(scratch)
    const environment = {
      GIT_DIR: scratch,
      GIT_OBJECT_DIRECTORY: resolve(top, objects),
      GIT_SHALLOW_FILE: resolve(top, shallow),
    }
    const blame = (ignoring: readonly string[]) => git.closed(blameArguments(revision, source, ignoring), environment)
    const ignoring = await revisionsToIgnore(top, git)
    if (ignoring.length === 0) return await blame([])
    // What cannot be read, or is no list of commits, leaves the blame as it is without.
    return await blame(ignoring).catch(() => blame([]))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Lists of commits that only format, as the clone names them. */
async function revisionsToIgnore(top: string, { inClone }: BlameGit): Promise<readonly string[]> {
  const named = await inClone('config', '--null', '--type=path', '--get-all', 'blame.ignoreRevsFile').catch(() => '')
  return named
    .split('\0')
    .filter((file) => file !== '')
    .map((file) => resolve(top, file))
}

/** Readable for whoever owns the clone: there is nothing in it. */
async function makeGitDirectory(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const name of ['objects', 'refs']) await mkdir(join(directory, name))
  await writeFile(join(directory, 'HEAD'), 'ref: refs/heads/none\n')
}
