// A commit beside what it changed: abbreviated revision, subject, author, when.
import type { Revision } from '../../../../shared/names.ts'
import type { CommitView } from '../../../show/views.ts'
import { visibleText } from '../visible-text.ts'
import { When } from './when.tsx'

export function RevisionCode({ revision }: { readonly revision: Revision }) {
  return (
    <code class="revision" title={revision}>
      {shortRevision(revision)}
    </code>
  )
}

export function CommitLine({ commit }: { readonly commit: CommitView }) {
  return (
    <span class="commit">
      <RevisionCode revision={commit.revision} />{' '}
      <span class="subject" title={visibleText(commit.message)}>
        {visibleText(commit.subject)}
      </span>{' '}
      <CommitBy commit={commit} />
    </span>
  )
}

function CommitBy({ commit }: { readonly commit: CommitView }) {
  return (
    <span class="by">
      {visibleText(commit.author)}, <When at={commit.at} />
    </span>
  )
}

/** The whole message, for the page where the reason matters. */
export function CommitCard({ commit }: { readonly commit: CommitView }) {
  const body = messageBody(commit)
  return (
    <div class="commit-card">
      <p class="subject">{visibleText(commit.subject)}</p>
      {body !== '' && <p class="body">{visibleText(body)}</p>}
      <p class="by">
        <RevisionCode revision={commit.revision} /> {visibleText(commit.author)}, <When at={commit.at} exact />
      </p>
    </div>
  )
}

export function shortRevision(revision: Revision): string {
  return revision.slice(0, 7)
}

function messageBody(commit: CommitView): string {
  return (
    commit.message.startsWith(commit.subject) ? commit.message.slice(commit.subject.length) : commit.message
  ).trim()
}
