// Makes the problems of a repository: whatever a hostile tree is called, they fit problem.ts's limits and one line of a terminal.
import type { Place, Problem, ProblemCode } from '../problem.ts'

const problemLimit = 500

export type InvalidDetails = {
  readonly code?: ProblemCode
  readonly remedy?: string | undefined
  readonly service?: string | undefined
}

export function invalid(message: string, where: Place, details: InvalidDetails = {}): Problem {
  const { code = 'repository-invalid', remedy, service } = details
  return {
    code,
    message: oneLine(/[.?!]$/.test(message) ? message : `${message}.`, 2000),
    where: {
      ...where,
      file: oneLine(where.file, 4000),
      ...(where.key === undefined ? {} : { key: oneLine(where.key, 400) }),
    },
    ...(remedy === undefined ? {} : { remedy: oneLine(remedy, 1500) }),
    ...(service === undefined || service.length > 64 ? {} : { service }),
  }
}

/** The first `problemLimit` problems, the last of which says how many more there are. */
export function limited(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= problemLimit) return problems
  const left = problems.length - problemLimit + 1
  return [
    ...problems.slice(0, problemLimit - 1),
    { code: 'repository-invalid', message: `${left} more problems are not shown.`, remedy: 'Correct these first.' },
  ]
}

/** A name as a person can read it: in quotes, control characters escaped, long ones cut. */
export function quoted(name: string): string {
  return `"${oneLine(name, 120)}"`
}

function oneLine(text: string, limit: number): string {
  const printable = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escaped)
  return printable.length > limit ? `${printable.slice(0, limit - 3)}...` : printable
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}
