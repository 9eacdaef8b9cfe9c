// A drafted service into a work tree: made beside its place and renamed, so that it is there whole or not at all.
import {
  chmod,
  lchown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMap, isSeq, parseDocument, YAMLSeq } from 'yaml'
import { PlumbError } from '../../shared/problem.ts'
import type { DraftFile } from '../import/draft.ts'

export type WorkTreePlace = { readonly workTree: string; readonly service: string }

/** Throws PlumbError `usage` when it is no fleet repository, or has the service already. */
export async function refuseTaken({ workTree, service }: WorkTreePlace, force: 'replace' | 'refuse'): Promise<void> {
  const fleet = await stat(join(workTree, 'plumb.yaml')).catch(() => undefined)
  if (fleet?.isFile() !== true)
    throw new PlumbError({
      code: 'usage',
      message: `${workTree} is no work tree of a fleet repository: there is no plumb.yaml in it.`,
      remedy: 'Clone the repository on this host and name its directory: --into DIR',
    })
  const there = await stat(join(workTree, 'services', service)).catch(() => undefined)
  if (there !== undefined && force === 'refuse')
    throw new PlumbError({
      code: 'usage',
      message: `The repository has a service ${service} already.`,
      where: { file: join(workTree, 'services', service) },
      remedy: 'Choose another name, or replace all of it: --force',
    })
}

/** What is written belongs to the owner of the work tree, so that root's import leaves nothing that its user cannot commit. */
export async function writeService(
  { workTree, service }: WorkTreePlace,
  files: ReadonlyMap<string, DraftFile>,
): Promise<void> {
  const owner = await stat(workTree)
  const services = join(workTree, 'services')
  await mkdir(services, { recursive: true })
  // Beside services/, where lint and git's status do not take a leftover for a service.
  const staging = await mkdtemp(join(workTree, '.plumb-import-'))
  try {
    const made = join(staging, 'new')
    for (const [path, file] of files) await writeOne(join(made, path), file)
    for (const path of await below(staging)) await lchown(path, owner.uid, owner.gid).catch(notPermitted)
    await lchown(services, owner.uid, owner.gid).catch(notPermitted)
    await replaceBy(made, { place: join(services, service), aside: join(staging, 'old') })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

export type Assignment = { readonly workTree: string; readonly host: string; readonly service: string }

/** Adds the service to the host's in plumb.yaml, comments and order kept. False when it has it already. */
export async function assign({ workTree, host, service }: Assignment): Promise<boolean> {
  const path = join(workTree, 'plumb.yaml')
  const text = await readFile(path, 'utf8')
  const changed = assigned(text, { host, service })
  if (changed === text) return false
  const { uid, gid, mode } = await stat(path)
  const staged = `${path}.plumb-import`
  await writeFile(staged, changed)
  await chmod(staged, mode & 0o7777)
  await lchown(staged, uid, gid).catch(notPermitted)
  await rename(staged, path)
  return true
}

/** Pure. Throws PlumbError `repository-invalid` when the text is not a fleet's. */
export function assigned(text: string, { host, service }: Omit<Assignment, 'workTree'>): string {
  const document = parseDocument(text, { stringKeys: true, logLevel: 'error' })
  if (document.errors.length > 0 || !isMap(document.contents))
    throw new PlumbError({
      code: 'repository-invalid',
      message: 'is not a fleet file: nothing was added to it',
      where: { file: 'plumb.yaml' },
      remedy: 'See: plumb lint',
    })
  const services = document.getIn(['hosts', host, 'services'])
  if (isSeq(services)) {
    if (services.toJSON().includes(service)) return text
    services.add(service)
  } else {
    const list = new YAMLSeq()
    list.flow = true
    list.add(service)
    document.setIn(['hosts', host, 'services'], list)
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

async function writeOne(path: string, file: DraftFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  if (file.kind === 'symlink') return await symlink(file.link, path)
  await writeFile(path, file.content, { flag: 'wx' })
  await chmod(path, file.executable ? 0o755 : 0o644)
}

async function below(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true })
  return names.map((name) => join(directory, name))
}

/** Without root what is written is one's own. */
function notPermitted(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPERM') throw error
}

type Swap = { readonly place: string; readonly aside: string }

async function replaceBy(made: string, { place, aside }: Swap): Promise<void> {
  const isThere = await rename(place, aside).then(
    () => true,
    () => false,
  )
  try {
    await rename(made, place)
  } catch (error) {
    if (isThere) await rename(aside, place)
    throw error
  }
}
