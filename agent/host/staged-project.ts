// The files of a compose project as they would be, in a directory of their own: compose can be asked about them before they are live.
// Decision: docs/decisions/2026-11-26-compose-forecasts-itself.md

import { constants, existsSync } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import type { AbsolutePath } from '../../shared/names.ts'

export type StagedFile = {
  readonly path: AbsolutePath
  readonly content: Uint8Array | { readonly link: string }
}

export type StagedProject = {
  /** Stands for `/`: the file `/srv/x` is at `${root}/srv/x`. */
  readonly root: string
  /** Lets the staged file name the staged ones of these paths, where it names them in full. */
  redirect(file: AbsolutePath, paths: readonly string[]): Promise<void>
  remove(): Promise<void>
}

export type ToStage = {
  readonly directory: AbsolutePath
  readonly files: readonly StagedFile[]
  /** What is there now and will not be. */
  readonly leaving: ReadonlySet<string>
}

/** Whatever else lies in the project's directory, such as a `.env` that a person wrote, is linked to. Contents may hold secrets: in memory, and root's alone. */
export async function stageProject({ directory, files, leaving }: ToStage, fallback: string): Promise<StagedProject> {
  const parent = await access('/run', constants.W_OK).then(
    () => '/run',
    () => fallback,
  )
  await removeLeftBehind(parent)
  const root = await mkdtemp(join(parent, `${prefix}${process.pid}-`))
  const remove = () => rm(root, { recursive: true, force: true })
  try {
    for (const { path, content } of files) {
      await mkdir(dirname(join(root, path)), { recursive: true, mode: 0o700 })
      if ('link' in content) await symlink(content.link, join(root, path))
      else await writeFile(join(root, path), content, { mode: 0o600 })
    }
    await linkOthers(directory, root, new Set([...files.map(({ path }) => path), ...leaving]))
    return { root, redirect: (file, paths) => redirect(join(root, file), root, paths), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function redirect(file: string, root: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  const text = await readFile(file, 'utf8')
  const named = paths.filter((path) => text.includes(path))
  const replaced = named.reduce((changed, path) => {
    const whole = new RegExp(`(?<![\\w./-])${path.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')}(?![\\w./-])`, 'g')
    return changed.replace(whole, () => `${root}${path}`)
  }, text)
  if (replaced !== text) await writeFile(file, replaced)
}

const prefix = 'plumb-plan-'

/** Of a plan that was killed. */
async function removeLeftBehind(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = /^plumb-plan-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await rm(join(parent, name), { recursive: true, force: true })
  }
}

async function linkOthers(directory: string, root: string, known: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(notThere)) {
    const path = join(directory, entry.name)
    if (known.has(path)) continue
    const hasKnown = entry.isDirectory() && [...known].some((one) => !relative(path, one).startsWith('..'))
    if (hasKnown) {
      await mkdir(join(root, path), { recursive: true, mode: 0o700 })
      await linkOthers(path, root, known)
    } else {
      await mkdir(dirname(join(root, path)), { recursive: true, mode: 0o700 })
      await symlink(path, join(root, path))
    }
  }
}

function notThere(error: unknown): readonly never[] {
  const errno = errnoOf(error)
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return []
  throw error
}
