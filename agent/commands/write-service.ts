// A drafted service into a work tree: made beside its place and renamed, so that it is there whole or not at all.
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMap, isScalar, isSeq, parseDocument, YAMLSeq } from 'yaml'
import { hostNameSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import { fleetSchema } from '../../shared/repository/fleet.ts'
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
  const services = await lstat(join(workTree, 'services')).catch(() => undefined)
  if (services?.isDirectory() === false)
    throw new PlumbError({
      code: 'usage',
      message: `${join(workTree, 'services')} is no directory, so nothing in it would be committed.`,
      remedy: 'Take a clone as it is: git checkout -- services',
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

/** As the owner of the work tree (`asOwner`), so that root's import leaves nothing that its user cannot commit. */
export async function writeService(
  { workTree, service }: WorkTreePlace,
  files: ReadonlyMap<string, DraftFile>,
): Promise<void> {
  const services = join(workTree, 'services')
  await mkdir(services, { recursive: true })
  // Beside services/, where lint and git's status do not take a leftover for a service.
  const staging = await mkdtemp(join(workTree, '.plumb-import-'))
  try {
    const made = join(staging, 'new')
    for (const [path, file] of files) await writeOne(join(made, path), file)
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
  const { mode } = await stat(path)
  const staged = `${path}.plumb-import`
  await rm(staged, { force: true })
  await writeFile(staged, changed, { flag: 'wx' })
  await chmod(staged, mode & 0o7777)
  await rename(staged, path)
  return true
}

/** By its own entry in plumb.yaml or by a group. */
export async function hasService({ workTree, host, service }: Assignment): Promise<boolean> {
  const text = await readFile(join(workTree, 'plumb.yaml'), 'utf8')
  const fleet = fleetSchema.safeParse(parseDocument(text, { logLevel: 'error' }).toJS())
  const name = hostNameSchema.safeParse(host)
  const assignment = fleet.success && name.success ? servicesFor(fleet.data, name.data) : undefined
  return assignment?.kind === 'assigned' && assignment.services.some((one) => one === service)
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
    const inserted = insertedInFlow(text, services, service)
    if (inserted !== undefined) return inserted
    services.add(service)
  } else {
    const list = new YAMLSeq()
    list.flow = true
    list.add(service)
    document.setIn(['hosts', host, 'services'], list)
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

/** `[a, b]` with one item more, every other character as it is: the library would set all flow collections of the file its way. */
function insertedInFlow(text: string, { flow, items }: YAMLSeq, item: string): string | undefined {
  const last = items.at(-1)
  if (flow !== true || !isScalar(last) || !last.range) return undefined
  const end = last.range[1]
  return `${text.slice(0, end)}, ${item}${text.slice(end)}`
}

async function writeOne(path: string, file: DraftFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  if (file.kind === 'symlink') return await symlink(file.link, path)
  await writeFile(path, file.content, { flag: 'wx' })
  await chmod(path, file.executable ? 0o755 : 0o644)
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
