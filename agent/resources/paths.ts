// What the kinds that are paths - file, symlink, directory - have in common: their names, owners, and being put back.

import { z } from 'zod'
import { compact } from '../../shared/compact.ts'
import type { DifferenceCode, FindingKind } from '../../shared/finding-kind.ts'
import { type AbsolutePath, absolutePathSchema, parseResourceId, type ResourceId } from '../../shared/names.ts'
import { PlumbError, type Problem, problemsOf } from '../../shared/problem.ts'
import { type FileStat, markedSize, type Permissions } from '../host/files.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import type { AttributeDifference, Attributes, CodedDifference, LiveResource } from './kind.ts'

const fileTypes = ['file', 'directory', 'symlink', 'fifo', 'socket', 'device'] as const

export const savedPathSchema = z.object({
  path: absolutePathSchema,
  reached: absolutePathSchema.optional(),
  was: z.discriminatedUnion('type', [
    z.object({ type: z.literal('missing') }),
    z.object({ type: z.enum(fileTypes), mode: z.number(), uid: z.number(), gid: z.number() }),
  ]),
  missingParents: z.array(z.string()),
  becomes: z.string().optional(),
})

/** `file:/etc/motd` -> `/etc/motd`. */
export function pathOf(id: ResourceId): AbsolutePath {
  return absolutePathSchema.parse(parseResourceId(id).name)
}

/** Of a resource that is a path; no other is named by one. */
export function pathInId(id: ResourceId): string | undefined {
  const { name } = parseResourceId(id)
  return name.startsWith('/') ? name : undefined
}

/**
 * The same text for the same mode: of thousands of files there are two or three. Kept in the module and not in a Memory, since
 * every caller would have to pass one for a text that never changes.
 */
export function modeText(mode: number): string {
  const text = modeTexts.get(mode) ?? mode.toString(8).padStart(4, '0')
  modeTexts.set(mode, text)
  return text
}

const modeTexts = new Map<number, string>()

export type Ownership = {
  /** Owner and group of a stat as attributes; `{}` where owners are not looked at. The same question is asked once. */
  of(stat: Pick<FileStat, 'uid' | 'gid'>, preferred?: Owner): Promise<Attributes>
  /** Whether every question asked so far has the same answer still. */
  isStill(host: HostReader): Promise<boolean>
}

type Owner = { readonly owner?: string | undefined; readonly group?: string | undefined }
type Owned = { readonly uid: number; readonly gid: number; readonly preferred: Owner; readonly answer: Attributes }

export function ownership(host: HostReader): Ownership {
  const asked = new Map<string, Owned>()
  return {
    of: async ({ uid, gid }, { owner, group } = {}) => {
      const question = `${uid} ${gid} ${owner ?? ''} ${group ?? ''}`
      const known = asked.get(question)
      if (known !== undefined) return known.answer
      const answer = await ownersOf({ uid, gid }, { owner, group }, host)
      asked.set(question, { uid, gid, preferred: { owner, group }, answer })
      return answer
    },
    isStill: async (now) => {
      for (const { uid, gid, preferred, answer } of asked.values()) {
        const again = await ownersOf({ uid, gid }, preferred, now)
        if (again['owner'] !== answer['owner'] || again['group'] !== answer['group']) return false
      }
      return true
    },
  }
}

async function ownersOf(
  { uid, gid }: Pick<FileStat, 'uid' | 'gid'>,
  preferred: Owner,
  { capabilities, files: { accounts } }: HostReader,
): Promise<Attributes> {
  if (!capabilities.ownership) return {}
  const owner = await accounts.userName(uid, preferred.owner)
  const group = await accounts.groupName(gid, preferred.group)
  return { ...compact({ owner, group }) }
}

/** What to write a desired mode and owner as. A user that does not exist is an error, but in a sandbox left out. */
export async function permissionsFor(
  desired: { readonly path: AbsolutePath; readonly mode: number; readonly owner: string; readonly group: string },
  host: HostReader,
): Promise<Permissions> {
  const { mode, path, owner, group } = desired
  if (!host.capabilities.ownership) return { mode }
  const uid = await host.files.accounts.userId(owner)
  const gid = await host.files.accounts.groupId(group)
  if (uid !== undefined && gid !== undefined) return { mode, uid, gid }
  if (host.root !== '/') return { mode }
  const [what, name, file] = uid === undefined ? ['user', owner, 'u'] : ['group', group, 'g']
  throw new PlumbError({
    code: 'apply-failed',
    message: `there is no ${what} "${name}" on this host to give it to.`,
    where: { file: path },
    remedy: `Have a package or a sysusers.d file (\`${file} ${name} -\`) of the repository make it.`,
  })
}

/** With what evidence needs of the stat; what is as applied needs none, and no memory of its own. */
export function livePath(stat: FileStat, attributes: Attributes, applied?: Attributes): LiveResource {
  if (applied !== undefined && isWithin(attributes, applied))
    return { attributes: isWithin(applied, attributes) ? applied : attributes }
  return {
    attributes,
    modifiedAt: isoTime(stat.modifiedMs),
    changedAt: isoTime(stat.changedMs),
    size: stat.size,
  }
}

export const missing: LiveResource = { attributes: { type: 'missing' } }

/** A parent exchanged for a link is drift like any other; what cannot be read is a problem. */
export function unreachable(thrown: unknown): LiveResource {
  const [problem] = problemsOf(thrown)
  if (problem === undefined || problem.code === 'unsafe-path') {
    const link = problem?.where?.file
    const type = `behind an unsafe link${link === undefined ? '' : ` at ${link}`}`
    return { attributes: { type }, isBehindUnsafeLink: true }
  }
  return { attributes: {}, problem }
}

/** What a difference of any path is. */
export function pathCodes(
  { name, live }: AttributeDifference,
  { isBehindUnsafeLink }: LiveResource,
): readonly DifferenceCode[] {
  if (name === 'type') return [isBehindUnsafeLink ? 'unsafe-link' : live === 'missing' ? 'missing' : 'type']
  return [codesByName.get(name) ?? 'other']
}

const codesByName: ReadonlyMap<string, FindingKind> = new Map([
  ...(['content', 'mode', 'owner', 'group', 'acl', 'capabilities', 'extra'] as const).map(
    (name) => [name, name] as const,
  ),
  ['target', 'link-target'],
  ['override', 'unit-override'],
])

/** `/etc/motd: missing`, `/etc/motd: a fifo, should be a file`, `/etc/motd: content differs; mode is 0600, should be 0644`. */
export function describePath(id: ResourceId, differences: readonly CodedDifference[]): string {
  const path = pathOf(id)
  const type = differences.find(({ name }) => name === 'type')
  if (type !== undefined) return `${path}: ${typeText(type)}`
  return `${path}: ${differences.map(attributeText).join('; ')}`
}

/** In reverse; goes on after a failure and throws at the end what failed. */
export async function putBackAll(saved: readonly unknown[], host: HostWriter): Promise<void> {
  await host.files.pass(async () => {
    const problems: Problem[] = []
    for (const point of saved.toReversed()) {
      try {
        await host.files.rollBack(savedPathSchema.parse(point))
      } catch (error) {
        problems.push(...problemsOf(error))
      }
    }
    await host.files.syncDirectories()
    if (problems.length > 0) throw new PlumbError(problems)
  })
}

function typeText({ expected, live, codes }: CodedDifference): string {
  if (expected === 'missing') return `still there (${live}), should be gone`
  if (live === 'missing') return 'missing'
  return codes.includes('unsafe-link') ? `${live}, not followed` : `a ${live}, should be a ${expected}`
}

/** A hash says nothing to a person; a mode or an owner does. */
function attributeText({ name, expected, live }: AttributeDifference): string {
  if (name === 'content') {
    const size = markedSize(live)
    return size === undefined ? 'content differs' : `content differs: it has ${size} bytes`
  }
  if (name === 'leave') return `no longer needed, left because it is not empty (${live})`
  if (name === 'override') return `changes ${live}, and is not in the repository`
  return name === 'extra' ? `not in the repository: ${live}` : `${name} is ${live}, should be ${expected}`
}

function isWithin(one: Attributes, other: Attributes): boolean {
  return Object.entries(one).every(([name, value]) => other[name] === value)
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
