// What `plumb why` is asked, and whoever can answer it: a clone or a server.
import type { Why } from '../../shared/why.ts'

export type WhyOptions = {
  readonly repo?: string
  readonly server?: string
  readonly host?: string
  /** Of all lines. */
  readonly lines?: boolean
  readonly root: string
  readonly state: string
}

/** What is asked of a clone or of a server. */
export type WhyQuestion = { readonly path: string; readonly lines: number | 'all' | undefined }

export type WhyAsker = {
  /** Undefined: nothing there manages the path. */
  ask(question: WhyQuestion): Promise<readonly Why[] | undefined>
  /** For a person. */
  readonly where: string
}
