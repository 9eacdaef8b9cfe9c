// Problems as a person can act on them: what happened, where, the way out.
import { type Problem, placeText } from '../../../../shared/problem.ts'
import { visibleText } from '../visible-text.ts'

export function ProblemList({ problems }: { readonly problems: readonly Problem[] }) {
  return (
    <ul class="problems">
      {problems.map((problem) => (
        <li>
          <ProblemText problem={problem} />
        </li>
      ))}
    </ul>
  )
}

/** The first line says what happened; what follows is what a program wrote. */
export function ProblemText({ problem }: { readonly problem: Problem }) {
  const [sentence = '', ...output] = problem.message.trimEnd().split('\n')
  return (
    <div class="problem">
      {problem.where !== undefined && (
        <p class="where">
          <code>{visibleText(placeText(problem.where))}</code>
          {problem.where.key !== undefined && (
            <>
              {' · '}
              <code>{visibleText(problem.where.key)}</code>
            </>
          )}
        </p>
      )}
      <p class="what">
        {problem.service !== undefined && <b>{problem.service}: </b>}
        {visibleText(sentence)}
      </p>
      {output.length > 0 && <Output lines={output} />}
      {problem.remedy !== undefined && <p class="remedy">{visibleText(problem.remedy)}</p>}
    </div>
  )
}

/** More is folded. */
const outputLinesShown = 12

function Output({ lines }: { readonly lines: readonly string[] }) {
  const text = <pre>{visibleText(lines.join('\n'))}</pre>
  if (lines.length <= outputLinesShown) return text
  return (
    <details>
      <summary>{lines.length} lines of output</summary>
      {text}
    </details>
  )
}
