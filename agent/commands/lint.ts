// `plumb lint DIR`: everything that is wrong with a fleet repository, for people and for CI, without a host and before a commit.

import { createRun } from '../../shared/platform/run.ts'
import { type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import { limited } from '../../shared/repository/invalid.ts'
import { visibleJson } from '../../shared/visible-text.ts'
import { interruptible } from '../host/interruptible.ts'
import { readCandidate } from '../lint/candidate.ts'
import { byPlace } from '../lint/order.ts'
import { type Linted, lintRevision } from '../lint/revision.ts'
import type { LintWarning } from '../lint/warning.ts'
import { counted, printText } from './output.ts'

/** `write` is where the text goes; standard output when left out. */
export type LintOptions = {
  readonly json: boolean
  /** Warnings count as problems. */
  readonly strict?: boolean
  readonly write?: (text: string) => void
}

/** Prints what is wrong and a summary; the exit code is 1 when anything is. */
export async function lint(
  directory: string,
  { json, strict = false, write = printText }: LintOptions,
): Promise<0 | 1> {
  const { services, hosts, problems, warnings } = await lintWorkTree(directory)
  const text = json
    ? visibleJson(
        JSON.stringify(
          { services, hosts, problems: withSeverity(problems, 'error'), warnings: withSeverity(warnings, 'warning') },
          undefined,
          2,
        ),
      )
    : [...linesOf(problems, warnings), summary({ services, hosts, problems, warnings })].join('\n')
  write(`${text}\n`)
  return problems.length === 0 && (!strict || warnings.length === 0) ? 0 : 1
}

export async function lintDirectory(directory: string): Promise<readonly Problem[]> {
  return (await lintWorkTree(directory)).problems
}

/** Of what `git add -A` would commit there. */
export async function lintWorkTree(directory: string): Promise<Linted> {
  try {
    return await interruptible(createRun(), async ({ run, atSignal }) => {
      const candidate = await readCandidate(directory, run, atSignal)
      try {
        const { problems, ...linted } = await lintRevision(candidate)
        return { ...linted, problems: limited([...candidate.problems, ...problems].toSorted(byPlace)) }
      } finally {
        await candidate.close()
      }
    })
  } catch (error) {
    return { services: 0, hosts: 0, problems: problemsOf(error), warnings: [] }
  }
}

function withSeverity<Item extends object>(items: readonly Item[], severity: 'error' | 'warning') {
  return items.map((item) => ({ severity, ...item }))
}

function linesOf(problems: readonly Problem[], warnings: readonly LintWarning[]): readonly string[] {
  const lines = [
    ...problems.map((problem) => ({ where: problem.where, line: problemLine(problem) })),
    ...warnings.map(({ where, message, remedy }) => {
      const line = problemLine({ code: 'repository-invalid', where, message: `warning: ${message}`, remedy })
      return { where, line }
    }),
  ]
  return lines.toSorted(byPlace).map(({ line }) => line)
}

/** `3 services on 1 host: no problems, 2 warnings` */
function summary({ services, hosts, problems, warnings }: Linted): string {
  const found = problems.length === 0 ? 'no problems' : counted(problems.length, 'problem')
  const warned = warnings.length === 0 ? '' : `, ${counted(warnings.length, 'warning')}`
  return `${counted(services, 'service')} on ${counted(hosts, 'host')}: ${found}${warned}`
}
