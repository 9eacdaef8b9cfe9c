// What the pages need of the web side.
import type { Access } from '../access.ts'
import type { WebParts } from '../parts.ts'

export type PageParts = Pick<
  WebParts,
  | 'views'
  | 'holds'
  | 'loop'
  | 'log'
  | 'clock'
  | 'recordingProblem'
  | 'isNotified'
  | 'statedUrl'
  | 'selfSigned'
  | 'sandboxes'
> & {
  readonly access: Pick<Access, 'mayRead' | 'isOperator' | 'signIn' | 'signOut'>
  readonly enrollments: Pick<WebParts['enrollments'], 'create' | 'hasAgent'>
}
