// What must not get into a commit: values of the repository's own secrets in any form, and what looks like a secret from elsewhere.
// Lines that the repository has already are not part of the change. Pure.
import type { Problem } from '../../shared/problem.ts'
import type { Mask } from '../plan/mask.ts'
import { likelySecrets } from '../writing/likely-secrets.ts'

export type Written = {
  /** Path inside the repository. */
  readonly source: string
  readonly content: Uint8Array
  /** As the repository has it; undefined for a new file. */
  readonly before: Uint8Array | undefined
  /** What looks like a secret in it is none, by option. */
  readonly isNotSecret: boolean
}

export function exposures({ source, content, before, isNotSecret }: Written, mask: Mask): readonly Problem[] {
  if (holdsSecret(source, mask)) return [inPath]
  const values = readings(content).flatMap((text, index) => linesOfSecrets(text, readings(before)[index] ?? '', mask))
  const lines = [...new Set(values)].toSorted((one, other) => one - other)
  return [
    ...lines.map((line) => knownProblem({ file: source, line })),
    ...(isNotSecret ? [] : likely(source, content, before)),
  ]
}

/** True of a text that holds the value of a secret. */
export function holdsSecret(text: string, mask: Mask): boolean {
  return mask.named(text) !== text
}

/** What is not UTF-8 is looked at by bytes too. */
function readings(content: Uint8Array | undefined): readonly string[] {
  const bytes = Buffer.from(content ?? new Uint8Array())
  return [bytes.toString('utf8'), bytes.toString('latin1')]
}

/** Lines with a value, but for those that stand in the repository as they are. 1-based. */
function linesOfSecrets(text: string, before: string, mask: Mask): readonly number[] {
  const old = new Set(before.split('\n'))
  const lines = text.split('\n')
  const masked = mask.named(text).split('\n')
  return lines.flatMap((line, index) => (line === masked[index] || old.has(line) ? [] : [index + 1]))
}

function likely(source: string, content: Uint8Array, before: Uint8Array | undefined): readonly Problem[] {
  const [text = ''] = readings(content)
  const lines = text.split('\n')
  const old = new Set((readings(before)[0] ?? '').split('\n'))
  return likelySecrets(text)
    .filter(({ line }) => !old.has(lines[line - 1] ?? ''))
    .map(({ line, what }) => ({
      code: 'secret-exposed',
      message: `${what} would be written to the repository`,
      where: { file: source, line },
      remedy:
        'Put a name in its place in a template, its value among the secrets of the host, and apply; or, when it is none: --not-secret PATH',
    }))
}

const inPath: Problem = {
  code: 'secret-exposed',
  message: 'the path of a file holds the value of a secret, and would be written to the repository',
  remedy: 'Rename the file on the host.',
}

function knownProblem(where: { readonly file: string; readonly line?: number }): Problem {
  return {
    code: 'secret-exposed',
    message: 'the value of a secret would be written to the repository',
    where,
    remedy: `Name the secret in a template instead: ${'$'}{{ secrets.NAME }}`,
  }
}
