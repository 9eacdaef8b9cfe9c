// A drifted file or link -> the repository's file with its content, git's mode, and what service.yaml has to say. All of it or nothing.
import { hash } from 'node:crypto'
import type { Problem } from '../../shared/problem.ts'
import type { AttributeDifference } from '../resources/kind.ts'
import { modeText } from '../resources/paths.ts'
import {
  type AdoptionInput,
  byHand,
  type Changeset,
  type FileMode,
  nothing,
  notThere,
  refusedChangeset,
} from './changeset.ts'
import { adoptedContent } from './content.ts'
import { type Drifted, refusal } from './drifted.ts'
import type { OpenRevision } from './revision.ts'

export async function fileChangeset(one: Drifted, input: AdoptionInput): Promise<Changeset> {
  const { source } = one
  const file = source === undefined ? undefined : input.head.files.get(source)
  if (source === undefined || file === undefined) return notThere(one)
  const type = one.differences.find(({ name }) => name === 'type')
  const key = file.inProject ? source.split('/').slice(2).join('/') : file.target
  if (type !== undefined) return typeChangeset(one, { source, key, type })
  if (file.kind !== 'file') return refusedChangeset(`${source} is a symlink in the repository now`, byHand)
  const content = await contentOf(one, source, input)
  if ('problems' in content) return { ...nothing, problems: content.problems }
  const hasSecrets = (await input.head.secretsOf(source)).length > 0
  const executable = file.executable && !isUnit(source)
  const byDefault = (executable ? 0o755 : 0o644) & (hasSecrets ? 0o700 : 0o777)
  const { owner, group, mode = byDefault } = file.settings
  const said = permissions(one.differences, { mode, owner, group, hasSecrets })
  const byGit = gitModeFor(said.set['mode'], { ...file, source, hasSecrets })
  const { mode: _, ...others } = said.set
  const set = byGit === undefined ? said.set : others
  const gitMode = byGit ?? (file.executable ? '100755' : '100644')
  const isWritten = content.changed || byGit !== undefined
  return {
    changes: isWritten ? new Map([[source, { kind: 'write', content: content.bytes, mode: gitMode }]]) : new Map(),
    edits: Object.keys(set).length === 0 ? [] : [{ section: 'files', key, set }],
    problems: said.problems,
  }
}

function isUnit(source: string): boolean {
  return source.split('/')[2] === 'units'
}

type Content = { readonly bytes: Uint8Array; readonly changed: boolean } | { readonly problems: readonly Problem[] }

async function contentOf(one: Drifted, source: string, { head, appliedOf, mask }: AdoptionInput): Promise<Content> {
  const now = (await head.read(source)) ?? new Uint8Array()
  const content = one.differences.find(({ name }) => name === 'content')
  const isTemplate = head.files.get(source)?.kind === 'file' && templateAt(head, source)
  if (content === undefined) return { bytes: now, changed: false }
  if (one.live === undefined || 'code' in one.live)
    return { problems: [one.live ?? refusal('what is live could not be read', { where: { file: source } })] }
  if (hash('sha256', one.live, 'hex') !== content.live)
    return { problems: [refusal('it is being changed right now', { where: { file: source }, remedy: 'Try again.' })] }
  const applied = await appliedOf(source, content.expected)
  if (applied === undefined)
    return {
      problems: [
        refusal(
          'what was applied here is in no revision that can be read, or its variables or secrets have changed since',
          {
            where: { file: source },
            remedy: byHand,
          },
        ),
      ],
    }
  if ((applied.pieces !== undefined) !== isTemplate)
    return {
      problems: [
        refusal('it has become a template, or ceased to be one, since it was applied', {
          where: { file: source },
          remedy: byHand,
        }),
      ],
    }
  const adopted = adoptedContent({ source, applied, head: now, live: one.live, mask })
  if (adopted.kind === 'refused') return { problems: adopted.problems }
  const changed = !Buffer.from(now).equals(adopted.content)
  return { bytes: adopted.content, changed }
}

function templateAt({ files }: OpenRevision, source: string): boolean {
  const file = files.get(source)
  return file?.kind === 'file' && file.settings.template
}

type Expected = {
  readonly mode: number
  readonly owner: string
  readonly group: string
  readonly hasSecrets: boolean
}

/** Where the repository differs by now from what was applied, only a person can choose. */
function permissions(differences: readonly AttributeDifference[], head: Expected) {
  const set: Record<string, string> = {}
  const problems: Problem[] = []
  for (const { name, expected, live } of differences) {
    if (name !== 'mode' && name !== 'owner' && name !== 'group') continue
    const said = name === 'mode' ? modeText(head.mode) : head[name]
    if (said === live) continue
    if (name === 'mode' && head.hasSecrets && /[1-7]$/.test(live)) problems.push(openSecret(live))
    else if (said !== expected)
      problems.push(
        refusal(`${name}: the repository says ${said} by now, ${expected} was applied, ${live} is live`, {
          remedy: byHand,
        }),
      )
    else set[name] = live
  }
  return { set, problems }
}

function openSecret(live: string): Problem {
  const message = `mode ${live}: everybody on the host could read the secrets in it`
  return { code: 'secret-exposed', message, remedy: 'plumb apply repairs it.' }
}

type GitFile = {
  readonly source: string
  readonly settings: { readonly mode?: number }
  readonly hasSecrets: boolean
}

/** What git's own mode can say; units are 0644, and what holds a secret is root's alone unless service.yaml says otherwise. */
function gitModeFor(mode: string | undefined, { source, settings, hasSecrets }: GitFile): FileMode | undefined {
  if (settings.mode !== undefined || hasSecrets || isUnit(source)) return undefined
  return mode === '0644' ? '100644' : mode === '0755' ? '100755' : undefined
}

type Typed = { readonly source: string; readonly key: string; readonly type: AttributeDifference }

function typeChangeset({ isNamed }: Drifted, { source, key, type }: Typed): Changeset {
  if (type.live !== 'missing')
    return refusedChangeset(`it is a ${type.live} now, where the repository has a ${type.expected}`, byHand)
  if (!isNamed)
    return refusedChangeset('it was removed on the host', `To remove it everywhere, adopt it by its own path.`)
  return {
    changes: new Map([[source, { kind: 'remove' }]]),
    edits: [{ section: 'files', key, set: undefined }],
    problems: [],
  }
}

export function linkChangeset(one: Drifted, { head }: AdoptionInput): Changeset {
  const { source, differences } = one
  if (source === undefined || !head.files.has(source)) return notThere(one)
  const type = differences.find(({ name }) => name === 'type')
  if (type !== undefined) return typeChangeset(one, { source, key: source, type })
  const target = differences.find(({ name }) => name === 'target')
  if (target === undefined) return nothing
  const file = head.files.get(source)
  if (file?.kind !== 'symlink' || (file.link !== target.expected && file.link !== target.live))
    return refusedChangeset('the repository has another link there since it was applied', byHand)
  return {
    ...nothing,
    changes: new Map([[source, { kind: 'write', content: Buffer.from(target.live), mode: '120000' }]]),
  }
}
