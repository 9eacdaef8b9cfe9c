// A file line by line, beside each run of lines the commit that gave them their text; its whole message one step away, also
// without a script.
import type { Blame, Commit } from '../../../../shared/why.ts'
import { visibleText } from '../visible-text.ts'
import { CommitCard, shortRevision } from './commit.tsx'
import { When } from './when.tsx'

type BlameProps = {
  readonly blame: Blame
  readonly label: string
  /** Lines beyond this many are counted, not shown. */
  readonly limit: number
}

export function BlameLines({ blame, label, limit }: BlameProps) {
  if (blame.kind !== 'lines') return <p class="by">{unblamedText(blame.kind)}</p>
  const commits = new Map(blame.commits.map((commit) => [commit.revision, commit]))
  const count = blame.runs.reduce((sum, { lines }) => sum + lines.length, 0)
  if (count === 0) return <p class="by">The file is empty.</p>
  return (
    <section class="blame" aria-label={label}>
      <table>
        <thead class="unseen">
          <tr>
            <th scope="col">Commit</th>
            <th scope="col">Line</th>
            <th scope="col">Text</th>
          </tr>
        </thead>
        <tbody>
          {blame.runs
            .filter(({ first }) => first <= limit)
            .map((run) => (
              <RunRows run={run} commit={commits.get(run.revision)} limit={limit} />
            ))}
        </tbody>
      </table>
      {count > limit && (
        <p class="cut">
          {count - limit} more lines are not shown here; <code>plumb why PATH --lines</code> tells all.
        </p>
      )}
    </section>
  )
}

type Run = Extract<Blame, { kind: 'lines' }>['runs'][number]
type RunProps = { readonly run: Run; readonly commit: Commit | undefined; readonly limit: number }

function RunRows({ run, commit, limit }: RunProps) {
  const lines = run.lines.slice(0, limit - run.first + 1)
  return (
    <>
      {lines.map((text, index) => {
        const number = run.first + index
        return (
          <tr id={`L${number}`} {...(index === 0 ? { class: 'first' } : {})}>
            {index === 0 && (
              <td class="c" rowspan={lines.length}>
                {commit !== undefined && <RunCommit run={run} commit={commit} />}
              </td>
            )}
            <td class="n">
              <a href={`#L${number}`}>{number}</a>
            </td>
            <td class="t">{visibleText(text)}</td>
          </tr>
        )
      })}
    </>
  )
}

function RunCommit({ run, commit }: { readonly run: Run; readonly commit: Commit }) {
  return (
    <details id={`commit-of-L${run.first}`}>
      <summary>
        <code>{shortRevision(commit.revision)}</code> <span class="who">{visibleText(commit.author)}</span>{' '}
        <When at={commit.at} />
      </summary>
      <div class="card panel">
        <CommitCard commit={commit} />
        {run.formerly !== undefined && (
          <p class="by">
            as <code>{visibleText(run.formerly)}</code>
          </p>
        )}
      </div>
    </details>
  )
}

function unblamedText(kind: Exclude<Blame['kind'], 'lines'>): string {
  switch (kind) {
    case 'not-text':
      return 'Not a text, so that it has no lines to tell of.'
    case 'too-large':
      return 'Too large to be told line by line.'
    case 'too-slow':
      return 'Its history is too long to be told line by line here; git blame in a clone can.'
  }
}
