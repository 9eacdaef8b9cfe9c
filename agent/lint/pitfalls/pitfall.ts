// A row of the tables of this directory: which files it is about, what is wrong with one, and what to do.
import type { FileSettings } from '../../../shared/repository/service.ts'

export type Inspected = {
  /** On the host. */
  readonly target: string
  readonly name: string
  readonly kind: 'file' | 'symlink'
  readonly mode: number
  readonly settings: FileSettings
  readonly isNamedByQuadlet: boolean
  /** Undefined for what is large or no text. */
  readonly text?: string
}

export type Pitfall = {
  readonly code: string
  readonly at: RegExp
  /** True, or the 1-based line, where it holds. */
  readonly holds: (file: Inspected) => boolean | number
  /** What follows the path of the file. */
  readonly message: string
  /** `file`: its path in the repository. */
  readonly remedy: string | ((file: string) => string)
}
