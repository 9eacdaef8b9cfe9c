// Alert text for problems: a title for each code, and the lines without the remedy.
import { compact } from '../../shared/compact.ts'
import { type Problem, type ProblemCode, problemLine } from '../../shared/problem.ts'

export const problemTitles: Record<ProblemCode, string> = {
  'repository-invalid': 'the repository is invalid',
  'repository-unreachable': 'the repository cannot be reached',
  'sync-slow': 'the repository answers slowly',
  'repository-rewound': "the repository's history was rewritten",
  'branch-changed': "the repository's default branch was changed",
  'repository-corrupt': 'the clone of the repository is damaged',
  'git-missing': 'git is not installed',
  'host-unknown': 'the repository does not name this host',
  'secret-missing': 'a secret is missing',
  'secret-exposed': 'a secret can be read by others',
  'variable-unknown': 'a template names an unknown variable',
  'path-claimed-twice': 'two services claim one path',
  'apply-failed': 'an apply failed',
  'observe-failed': 'live configuration could not be read',
  'validation-failed': 'a file did not pass its validation',
  'check-failed': 'a check failed',
  'agent-not-running': 'the agent is not running',
  'contact-lost': 'an apply cut the host off and was rolled back',
  'removal-waits': 'a removal waits for confirmation',
  'disk-full': 'the disk is full',
  'read-only': 'the file system is read-only',
  'unsafe-path': 'a path is not safe to write to',
  locked: 'another apply holds the lock',
  'state-corrupt': "the agent's state is damaged",
  'token-refused': 'a token was refused',
  'server-unreachable': 'the server cannot be reached',
  'server-untrusted': 'the server is not trusted',
  'report-too-large': 'its report is larger than the server accepts',
  'identity-shared': 'another machine uses the same key',
  usage: 'the command was used incorrectly',
  internal: 'an unexpected error',
}

const linesShown = 20

export function linesOf(problems: readonly Problem[]): string {
  return firstLines(problems.map(lineOf))
}

export function firstLines(lines: readonly string[]): string {
  const rest = lines.length - linesShown
  return [...lines.slice(0, linesShown), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}

/** Without the remedy, which is a field of the alert. */
export function lineOf({ code, message, where }: Problem): string {
  return problemLine({ code, message, ...compact({ where }) })
}
