// The ways out in words, a line each, for alerts and the command line: `To keep it on web-1: plumb adopt /etc/motd`.
import { parseResourceId } from './names.ts'
import { problemLine } from './problem.ts'
import { shellWord } from './shell-word.ts'
import { visibleText } from './visible-text.ts'
import type { Commands, Refusal, WayOut } from './ways-out.ts'

export type Wording = {
  /** ` on web-1` */
  readonly on?: string
  /** Those that every command needs there, behind a space. */
  readonly options?: string
  /** Those that `plumb adopt` needs before them. */
  readonly adoptOptions?: string
  /** The lines go on a line of the caller's. */
  readonly isWithin?: boolean
}

export const failedRunWayOut =
  'A failed run is over with the next one that succeeds. The end of its journal is on the page of the finding, and in: plumb check'

export function wayOutLines(ways: readonly WayOut[], wording: Wording = {}): readonly string[] {
  return ways.flatMap((way) => linesOf(way, wording))
}

/** As typed in a shell, without options of the place. */
export function commandText(words: readonly string[]): string {
  return words.map(shellWord).join(' ')
}

export const notCommitted = 'not by a commit, which would hold a secret'

/** Why an apply would not get through now. */
export function obstacleText(
  way: Extract<WayOut, { kind: 'failing' | 'unchecked' | 'removal' | 'unsafe-link' }>,
): string {
  switch (way.kind) {
    case 'failing':
      return `No apply gets through now: revision ${way.failure.revision.slice(0, 7)} fails at "${way.failure.step}". Fix that and push`
    case 'unchecked':
      return 'No apply of it before it can be checked'
    case 'removal':
      return 'No apply before the removal of services is allowed or reverted'
    case 'unsafe-link':
      return 'No apply follows the link: replace it by a directory, or make it and its directory root-owned and writable for root only'
  }
}

export const alreadyText = 'The revision has what was changed here, and more: an apply keeps it'

function linesOf(
  way: WayOut,
  { on = '', options = '', adoptOptions = '', isWithin = false }: Wording,
): readonly string[] {
  const to = isWithin ? 'to' : 'To'
  const joined = (commands: Commands, by: string, own = '') =>
    commands.map((words) => `${commandText(words)}${own}${options}`).join(by)
  switch (way.kind) {
    case 'release':
      return [`${to} end the hold of ${way.service}${on}: ${joined(way.commands, '; ')}`]
    case 'failing':
    case 'unchecked':
    case 'removal':
    case 'unsafe-link':
      return [obstacleText(way)]
    case 'adopt':
      return [`${to} keep it${on}: ${joined(way.commands, '; ', adoptOptions)}`]
    case 'commit':
      return [
        `${to} keep ${way.isRest ? 'the rest' : 'it'}: change ${listed(way.files)} in a clone, and push`,
        ...refusalLines(way.refused),
      ]
    case 'secret':
      return [`${to} keep ${way.isRest ? 'the rest' : 'it'}: ${notCommitted}`, ...refusalLines(way.refused)]
    case 'already':
      return [alreadyText]
    case 'apply':
      return [`${to} ${effects[way.effect]}${on}: ${joined(way.commands, ' && ')}`]
    case 'next-run':
      return [failedRunWayOut]
  }
}

const effects = {
  repair: 'repair it',
  overwrite: 'have what the revision says instead',
  apply: 'apply it now',
} as const

const shown = 3

/** `plumb adopt would refuse /etc/motd: services/base/files/etc/motd:1: the repository has since changed ... Change it by hand.` */
function refusalLines(refused: readonly Refusal[]): readonly string[] {
  const lines = refused.slice(0, shown).map(({ resource, problem }) => {
    const name = parseResourceId(resource).name
    return visibleText(`plumb adopt would refuse ${name}: ${problemLine(problem)}`)
  })
  return refused.length > shown ? [...lines, `and ${refused.length - shown} more reasons`] : lines
}

function listed(files: readonly string[]): string {
  const names = files.slice(0, shown).map(visibleText).join(', ')
  return files.length > shown ? `${names} and ${files.length - shown} more files` : names
}
