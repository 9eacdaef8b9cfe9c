// Why a path is as it is, as lines for a person: the commit behind it, or the commits behind its lines.

import { absoluteTime } from '../../shared/time-text.js'
import { visibleText } from '../../shared/visible-text.ts'
import type { Blame, Commit, LineWhy, Why } from '../../shared/why.ts'
import { counted } from './output.ts'
import type { WhyAnswers } from './why-asked.ts'
import { liveLines, onHostLines } from './why-here-text.ts'

/** `options`: those that a command on this host needs, behind a space. */
export function whyLines(answers: WhyAnswers, options = ''): readonly string[] {
  return answers.flatMap((answer, index) => [...(index === 0 ? [] : ['']), ...answerLines(answer, options)])
}

function answerLines(answer: WhyAnswers[number], options: string): readonly string[] {
  const { source, blame, live, onHost } = answer
  const here = onHost === undefined ? [] : onHostLines(onHost)
  if (live !== undefined) return [...liveLines(live, answer, options), ...lineOrCommit(answer), ...here]
  if (blame !== undefined) return [visibleText(source), ...blameLines(blame), ...here]
  return [...lineOrCommit(answer), ...here]
}

function lineOrCommit({ source, why, line, removed }: Why): readonly string[] {
  if (removed !== undefined) return [`${visibleText(source)}: removed from the repository`, ...commitLines(removed)]
  if (line !== undefined) return lineLines(source, line)
  if (why === undefined) return [`${visibleText(source)}: not committed yet`]
  return [visibleText(source), ...commitLines(why)]
}

function lineLines(source: string, line: LineWhy): readonly string[] {
  if (line.kind === 'no-such-line')
    return [`${visibleText(source)} has ${counted(line.lines, 'line')}, and no line of that number`]
  if (line.kind !== 'line') return [`${visibleText(source)}: ${unblamedText(line.kind)}`]
  return [
    `${visibleText(source)}:${line.number}`,
    `  | ${visibleText(line.text)}`,
    ...(line.formerly === undefined ? [] : [`  as ${visibleText(line.formerly)}`]),
    ...commitLines(line.commit),
  ]
}

function commitLines({ revision, author, at, message }: Commit): readonly string[] {
  const body = message.split('\n').map((line) => `    ${visibleText(line)}`.trimEnd())
  return [`  ${revision.slice(0, 12)} by ${visibleText(author)} on ${absoluteTime(at)}`, '', ...body]
}

/** Revision, author and day beside each line, and the messages of all of them below. */
function blameLines(blame: Blame): readonly string[] {
  if (blame.kind !== 'lines') return [`  ${unblamedText(blame.kind)}`]
  const commits = new Map(blame.commits.map((commit) => [commit.revision, commit]))
  const last = blame.runs.at(-1)
  const digits = `${last === undefined ? 0 : last.first + last.lines.length - 1}`.length
  const width = Math.min(20, Math.max(0, ...blame.commits.map(({ author }) => visibleText(author).length)))
  return blame.runs.flatMap(({ revision, first, lines }) => {
    const { author = '', at = '' } = commits.get(revision) ?? {}
    const who = `${revision.slice(0, 8)} ${visibleText(author).slice(0, width).padEnd(width)} ${at.slice(0, 10)}`
    return lines.map((line, index) =>
      `  ${who} ${`${first + index}`.padStart(digits)} | ${visibleText(line)}`.trimEnd(),
    )
  })
}

function unblamedText(kind: Exclude<Blame['kind'], 'lines'>): string {
  switch (kind) {
    case 'not-text':
      return 'not a text; the commit behind the whole file: without a line'
    case 'too-large':
      return 'too large to be told line by line'
    case 'too-slow':
      return 'its history is too long to be told line by line; a clone can: git blame'
  }
}
