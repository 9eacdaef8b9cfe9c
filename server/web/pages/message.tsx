// Pages that say one thing: not found, refused, broken.
import type { Child } from 'hono/jsx'
import type { Problem } from '../../../shared/problem.ts'
import { ProblemList } from './components/problem.tsx'

type MessageProps = {
  readonly title: string
  readonly text: string
  readonly problems?: readonly Problem[]
  readonly children?: Child
}

export function MessagePage({ title, text, problems = [], children }: MessageProps) {
  return (
    <div class="message">
      <h1>{title}</h1>
      <p class="lead">{text}</p>
      {problems.length > 0 && <ProblemList problems={problems} />}
      {children ?? (
        <p>
          <a href="/">Back to the fleet</a>
        </p>
      )}
    </div>
  )
}
