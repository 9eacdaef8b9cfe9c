// service.yaml with what was changed on a host said in it: comments and order stay. Pure.
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isScalar, parseDocument, type ToStringOptions, YAMLMap } from 'yaml'
import { PlumbError } from '../../shared/problem.ts'
import { mergedText } from './merge.ts'

export type SettingsEdit = {
  readonly section: 'files' | 'directories' | 'units'
  /** The path on the host, the path beside a compose file, the unit. */
  readonly key: string
  /** Undefined: nothing is said of it any more. */
  readonly set: Readonly<Record<string, string | boolean>> | undefined
}

export type SettingsText = { readonly file: string; readonly text: string | undefined }

/** `text` undefined: there is no such file yet. Throws PlumbError `repository-invalid` when it is not one. */
export function withSettings({ file, text = '' }: SettingsText, edits: readonly SettingsEdit[]): string {
  const document = parsed(text)
  if (document.errors.length > 0 || (document.contents !== null && !isMap(document.contents)))
    throw new PlumbError({
      code: 'repository-invalid',
      message: 'cannot be read, so nothing was changed in it',
      where: { file },
      remedy: 'See: plumb lint',
    })
  for (const edit of edits) applyTo(document, edit)
  const styles = [true, false].map((flowCollectionPadding) => ({ lineWidth: 0, flowCollectionPadding }))
  const kept = styles.map((style) => asWritten(text, document.toString(style), style))
  return kept.find((one) => one !== undefined) ?? document.toString(styles[0])
}

function parsed(text: string): Document {
  return parseDocument(text, { stringKeys: true, logLevel: 'error' })
}

/**
 * The new settings in the text as a person laid it out: spaces and breaks that the library would set otherwise are no change.
 * Undefined where the two stand too close together.
 */
function asWritten(text: string, edited: string, style: ToStringOptions): string | undefined {
  if (text.trim() === '') return edited
  const merged = mergedText({ base: parsed(text).toString(style), ours: text, theirs: edited })
  if (merged.kind !== 'merged') return undefined
  return isDeepStrictEqual(parsed(merged.text).toJS(), parsed(edited).toJS()) ? merged.text : undefined
}

function applyTo(document: Document, { section, key, set }: SettingsEdit): void {
  if (set === undefined) {
    if (!document.hasIn([section, key])) return
    document.deleteIn([section, key])
    const rest = document.get(section)
    if (isMap(rest) && rest.items.length === 0) deleteSection(document, section)
    return
  }
  // `nginx.service:` with nothing behind it is a map without entries.
  if (!isMap(document.get(section))) document.set(section, new YAMLMap())
  if (!isMap(document.getIn([section, key]))) {
    const settings = new YAMLMap()
    settings.flow = true
    document.setIn([section, key], settings)
  }
  for (const [name, value] of Object.entries(set)) document.setIn([section, key, name], value)
}

/** A comment at the head of the file belongs to its first key, and stays. */
function deleteSection(document: Document, section: string): void {
  const items = isMap(document.contents) ? document.contents.items : []
  const key = items.find((item) => isScalar(item.key) && item.key.value === section)?.key
  const comment = isScalar(key) ? key.commentBefore : undefined
  document.delete(section)
  const next = items[0]?.key
  if (comment && isScalar(next)) next.commentBefore = [comment, next.commentBefore].filter(Boolean).join('\n')
}
