// Files: content, mode, owner. Staged beside their targets, validated, and only then put in place, all together.
import { hash } from 'node:crypto'
import { endText, outputText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { FileResource } from '../../shared/resource.ts'
import { aclText, capabilitiesText } from '../host/file-attributes.ts'
import type { NewContent, SavedPath } from '../host/files.ts'
import { setStagedAttributes } from '../host/staged-attributes.ts'
import { compareAttributes } from './compare.ts'
import { observeFiles } from './file-live.ts'
import { appliedAttributes, judgedAttributes, seenContent, withoutJudged } from './judged.ts'
import type {
  ApplyHost,
  AttributeDifference,
  Attributes,
  Comparison,
  LiveResource,
  ResourceChange,
  ResourceKind,
  Subject,
} from './kind.ts'
import { describePath, modeText, pathCodes, pathOf, permissionsFor, putBackAll } from './paths.ts'
import { contentOf, isReturning } from './removal/originals.ts'
import { compareLeaving, leaveText, leftText, putBackOriginal } from './returning.ts'

/** Contents held in memory at a time. */
const batchBytes = 8 * 1024 * 1024
const batchFiles = 64
const attributesAtOnce = 4

export const fileKind: ResourceKind<FileResource, SavedPath> = {
  kind: 'file',
  order: 'paths',
  needs: undefined,
  correctedByTools: [],
  attributes,
  watches: ({ path }) => ({ paths: [path] }),
  observe: (subjects, host) => host.files.pass(() => observeFiles(subjects, host)),
  compare,
  codes: pathCodes,
  describe: describePath,
  isAdoptable: ({ name, live }) =>
    name === 'type' ? live === 'missing' : ['content', 'mode', 'owner', 'group'].includes(name),
  notAdopted: undefined,
  changedAt: undefined,
  planText: (change) =>
    change.desired === undefined
      ? leaveText(change)
      : `write ${change.desired.path} (${what(change.differences, 'is')})`,
  stepText: (path) => `write ${path ?? 'files'}`,
  save: async (changes, host) =>
    host.files.pass(async () =>
      changes.map((one) => host.files.undoPoint(pathOf(one.id), one.desired?.sha256 ?? contentOf(one.original))),
    ),
  change,
  restore: putBackAll,
}

function attributes(desired: FileResource): Attributes {
  const { sha256, mode, owner, group, acl, capabilities } = desired
  return {
    type: 'file',
    content: sha256,
    mode: modeText(mode),
    owner,
    group,
    ...(acl === undefined ? {} : { acl: aclText(acl) }),
    ...(capabilities === undefined ? {} : { capabilities: capabilitiesText(capabilities) }),
    ...judgedAttributes(desired),
  }
}

function compare(subject: Subject<FileResource>, live: LiveResource): Comparison {
  const { desired, baseline } = subject
  const seen = seenContent(subject, live)
  if (desired !== undefined)
    return compareAttributes(withoutJudged(attributes(desired)), appliedAttributes(subject), seen)
  const { drift, pending } = compareLeaving(subject, live)
  const isAsApplied = seen['content'] === baseline?.attributes['content']
  return { drift: isAsApplied ? drift.filter(({ name }) => name !== 'content') : drift, pending }
}

type FileChange = ResourceChange<FileResource>
type Write = FileChange & { readonly desired: FileResource }

async function change(changes: readonly FileChange[], host: ApplyHost): Promise<readonly string[]> {
  const { files } = host
  return files.pass(async () => {
    const writes = changes.filter(isWrite)
    const inPlace = new Set(await inPlaceOf(writes, host))
    const staged = writes.filter((write) => !inPlace.has(write))
    // A directory whose last file left in this very apply makes room for a file of its name.
    for (const { desired } of staged)
      if (files.stat(desired.path)?.type === 'directory') files.removeEmptied(desired.path)
    for (const batch of batches(staged)) await stageAll(batch, host)
    if (host.capabilities.commands) await setAttributes(staged, host)
    for (const { desired } of staged) await validate(desired, host)
    for (const { desired } of staged) files.publish(desired.path)
    for (const { desired } of inPlace)
      await files.setPermissions(desired.path, 'file', await permissionsFor(desired, host))
    for (const one of changes.filter(({ desired }) => desired === undefined)) {
      if (isReturning(one)) await putBackOriginal(one, host)
      else files.moveAway(pathOf(one.id))
    }
    await files.syncDirectories()
    return changes.map(line)
  })
}

function isWrite(one: FileChange): one is Write {
  return one.desired !== undefined
}

/** Those whose content is right already: a new copy of a large file for a mode would be a waste. */
async function inPlaceOf(writes: readonly Write[], host: ApplyHost): Promise<readonly Write[]> {
  const right: Write[] = []
  for (const write of writes) {
    const { desired, live, differences } = write
    // What is put back after a failure keeps its own; a change of owner would take capabilities away.
    const isNew = differences.some(({ name }) => ['content', 'type', 'acl', 'capabilities'].includes(name))
    const isGiven = desired.judged === undefined && differences.some(({ name }) => ['owner', 'group'].includes(name))
    if (isNew || isGiven || desired.acl !== undefined || desired.capabilities !== undefined) continue
    const found = await host.files.inspect(desired.path)
    // Other bytes may say the same.
    const isRight = found?.content === desired.sha256 || found?.content === live.attributes['content']
    if (isRight && found?.stat.links === 1) right.push(write)
  }
  return right
}

function batches(writes: readonly Write[]): readonly (readonly Write[])[] {
  const all: Write[][] = []
  let bytes = batchBytes
  for (const write of writes) {
    const last = all.at(-1)
    if (last === undefined || bytes + write.desired.size > batchBytes || last.length === batchFiles) {
      all.push([write])
      bytes = write.desired.size
    } else {
      last.push(write)
      bytes += write.desired.size
    }
  }
  return all
}

async function stageAll(writes: readonly Write[], host: ApplyHost): Promise<void> {
  const contents = await host.contents(writes.map(({ desired }) => desired.content))
  const staged: NewContent[] = []
  for (const [index, { desired }] of writes.entries()) {
    const bytes = contents[index]
    if (bytes === undefined || hash('sha256', bytes, 'hex') !== desired.sha256) throw corrupt(desired)
    staged.push({ path: desired.path, bytes, permissions: await permissionsFor(desired, host) })
  }
  await host.files.stageAll(staged)
}

/** Some at a time: each takes commands. */
async function setAttributes(writes: readonly Write[], host: ApplyHost): Promise<void> {
  const waiting = [...writes]
  const work = async () => {
    for (let write = waiting.pop(); write !== undefined; write = waiting.pop()) {
      const { desired } = write
      await host.files.withStaged(desired.path, (open) => setStagedAttributes(open, desired, host))
    }
  }
  const results = await Promise.allSettled(Array.from({ length: attributesAtOnce }, work))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function validate({ path, validate: text }: FileResource, host: ApplyHost): Promise<void> {
  if (text === undefined || !host.capabilities.commands) return
  const staged = host.files.stagedPath(path)
  const command = { args: ['sh', '-c', text.replaceAll('{}', shellWord(staged))], deadlineSeconds: 120 }
  const result = await host.run(command)
  if (result.code === 0) return
  const named = (text: string) => text.replaceAll(staged, path)
  const output = outputText({ ...result, stdout: named(result.stdout), stderr: named(result.stderr) })
  throw new PlumbError({
    code: 'validation-failed',
    message: `it fails its validation: ${endText(command, result)} (${text}).${output === '' ? '' : `\n${output}\n`}`,
    where: { file: path },
    remedy: 'Correct it in the repository and push; what was there is still live.',
  })
}

/** Left bare when it needs no quotes, so that a `{}` that stands in quotes already works too. */
function shellWord(path: string): string {
  return /^[\w./@%+:,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

function line(one: FileChange): string {
  const path = pathOf(one.id)
  if (one.desired === undefined) return leftText(one)
  return `wrote ${path} (${what(one.differences, 'was')})`
}

/** `isOrWas`: `is` in a plan, `was` after the apply. */
function what(differences: readonly AttributeDifference[], isOrWas: 'is' | 'was'): string {
  const type = differences.find(({ name }) => name === 'type')
  if (type === undefined) return differences.map(({ name }) => name).join(', ')
  return type.live === 'missing' ? 'new' : `${isOrWas} a ${type.live}`
}

function corrupt({ source, path }: FileResource): PlumbError {
  return new PlumbError({
    code: 'repository-corrupt',
    message: `its content in the local clone (${source}) is not what the revision says.`,
    where: { file: path },
    remedy: 'Remove the clone from the state directory; the next sync fetches it again.',
  })
}
