// What `plumb why` is asked, and whoever can answer it: a clone or a server.
import type { Revision } from '../../shared/names.ts'
import type { Why } from '../../shared/why.ts'
import type { LiveLine } from '../plan/live-line.ts'

export type WhyOptions = {
  readonly repo?: string
  readonly server?: string
  /** PEM file. */
  readonly certificate?: string
  readonly host?: string
  /** Of all lines. */
  readonly lines?: boolean
  readonly root: string
  readonly state: string
}

export type WhyQuestion = {
  readonly path: string
  readonly lines?: number | 'all' | undefined
  /** Default: the head. */
  readonly revision?: Revision
}

/** Where a line of a live file comes from. */
export type LiveWhy = {
  readonly path: string
  readonly line: number
  /** When the live file was written last, ISO 8601. */
  readonly writtenAt?: string
  readonly found: LiveLine | { readonly kind: 'unknown'; readonly reason: string }
}

export type WhyAnswers = readonly (Why & { readonly live?: LiveWhy })[]

export type WhyAsker = {
  /** Undefined: nothing there manages the path. */
  ask(question: WhyQuestion): Promise<WhyAnswers | undefined>
  /** For a person. */
  readonly where: string
}
