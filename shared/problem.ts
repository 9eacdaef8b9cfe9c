// A problem is an error a person can act on: what happened, where, and the way out. It travels in reports and on screen.
import { z } from 'zod'

/** Codes are stable: alerts are keyed and documentation is linked by them. */
export const problemCodes = [
  'repository-invalid',
  'repository-unreachable',
  'repository-rewound',
  'branch-changed',
  'sync-slow',
  'repository-corrupt',
  'git-missing',
  'host-unknown',
  'secret-missing',
  'secret-exposed',
  'variable-unknown',
  'path-claimed-twice',
  'apply-failed',
  'observe-failed',
  'validation-failed',
  'check-failed',
  'contact-lost',
  'agent-not-running',
  'removal-waits',
  'disk-full',
  'read-only',
  'unsafe-path',
  'locked',
  'state-corrupt',
  'token-refused',
  'server-unreachable',
  'server-untrusted',
  'report-too-large',
  'identity-shared',
  'usage',
  'internal',
] as const

export type ProblemCode = (typeof problemCodes)[number]

/** Longest that a report may carry; `boundedProblem` cuts to it. */
const longest = { file: 4200, key: 500, message: 4000, remedy: 2000, service: 64 } as const

export const placeSchema = z.object({
  /** Path inside the repository, or absolute on the host. */
  file: z.string().max(longest.file),
  /** 1-based. */
  line: z.number().int().positive().optional(),
  /** 1-based. */
  column: z.number().int().positive().optional(),
  /** Dotted path of the YAML key, `hosts.web-1.services`. */
  key: z.string().max(longest.key).optional(),
})

export const problemSchema = z.object({
  /** One that only a newer agent knows is `internal` here: its message says what happened, and no report is refused for it. */
  code: z.enum(problemCodes).catch('internal'),
  message: z.string().max(longest.message),
  where: placeSchema.optional(),
  /** What the person can do: a full sentence or a command. */
  remedy: z.string().max(longest.remedy).optional(),
  service: z.string().max(longest.service).optional(),
})

export type Place = z.infer<typeof placeSchema>
export type Problem = z.infer<typeof problemSchema>

/** An error that carries one or more problems, as long as a report may carry them; every error a person may see is one of these. */
export class PlumbError extends Error {
  readonly problems: readonly Problem[]

  constructor(problem: Problem | readonly Problem[], options?: ErrorOptions) {
    const given = Array.isArray(problem) ? (problem as readonly Problem[]) : [problem as Problem]
    const problems = given.map(boundedProblem)
    super(problems.map(problemLine).join('\n'), options)
    this.name = 'PlumbError'
    this.problems = problems
  }

  get code(): ProblemCode {
    return this.problems[0]?.code ?? 'internal'
  }
}

/** Cuts every text that is longer than a report may carry: what a program said has no limit of its own. */
export function boundedProblem(problem: Problem): Problem {
  const { message, remedy, where } = problem
  return {
    ...problem,
    message: message.slice(0, longest.message),
    ...(remedy === undefined ? {} : { remedy: remedy.slice(0, longest.remedy) }),
    ...(where === undefined ? {} : { where: boundedPlace(where) }),
  }
}

function boundedPlace(place: Place): Place {
  const file = place.file.slice(0, longest.file)
  return place.key === undefined ? { ...place, file } : { ...place, file, key: place.key.slice(0, longest.key) }
}

/** `services/caddy/service.yaml:3:5: unknown key "tempalte" (files./etc/x). Did you mean "template"?` */
export function problemLine(problem: Problem): string {
  const place = problem.where === undefined ? '' : `${placeText(problem.where)}: `
  if (problem.remedy === undefined) return `${place}${problem.message}`
  const stop = /[.!?:]\)?$/.test(problem.message.trimEnd()) ? '' : '.'
  return `${place}${problem.message.trimEnd()}${stop} ${problem.remedy}`
}

export function placeText(place: Place): string {
  return [place.file, place.line, place.line === undefined ? undefined : place.column]
    .filter((part) => part !== undefined)
    .join(':')
}

/** Whatever was thrown, as problems: unexpected errors keep their message under the code `internal`. */
export function problemsOf(thrown: unknown): readonly Problem[] {
  if (thrown instanceof PlumbError) return thrown.problems
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return [boundedProblem({ code: 'internal', message })]
}
