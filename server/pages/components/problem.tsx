// Problems as a person can act on them: what happened, where, the way out.
import { type Problem, placeText } from '../../../shared/problem.ts'
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

export function ProblemText({ problem }: { readonly problem: Problem }) {
  return (
    <div class="problem">
      {problem.where !== undefined && (
        <p class="where">
          <code>{visibleText(placeText(problem.where))}</code>
          {problem.where.key !== undefined && (
            <>
              {' '}
              <code class="key">{visibleText(problem.where.key)}</code>
            </>
          )}
        </p>
      )}
      <p class="what">
        {problem.service !== undefined && <b>{problem.service}: </b>}
        {visibleText(problem.message)}
      </p>
      {problem.remedy !== undefined && <p class="remedy">{visibleText(problem.remedy)}</p>}
    </div>
  )
}
