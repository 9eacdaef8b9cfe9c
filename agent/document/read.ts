// Bytes -> a document, within the limits of what is judged by its meaning. Whatever the bytes are, this ends soon and does not throw.
import { readJson } from './json.ts'
import { documentLimits, type ReadDocument } from './node.ts'
import { readYaml } from './yaml.ts'

export type DocumentFormat = 'json' | 'yaml'

export function readDocument(format: DocumentFormat, bytes: Uint8Array): ReadDocument {
  if (bytes.length > documentBytes(format)) return tooLarge(format)
  const text = textOf(bytes)
  if (text === undefined) return { kind: 'invalid', line: 1, column: 1, reason: 'it is not UTF-8' }
  return format === 'json' ? readJson(text) : readYaml(text)
}

/** A larger file is not read for its meaning. */
export function documentBytes(format: DocumentFormat): number {
  return format === 'json' ? documentLimits.jsonBytes : documentLimits.yamlBytes
}

export function tooLarge(format: DocumentFormat): Extract<ReadDocument, { kind: 'too-much' }> {
  return { kind: 'too-much', reason: `it is larger than ${documentBytes(format) / 1024 / 1024} MiB` }
}

export function formatName(format: DocumentFormat): string {
  return format.toUpperCase()
}

/** By its name; undefined for what is most likely neither. */
export function formatOf(path: string): DocumentFormat | undefined {
  const extension = /\.(?<extension>json|ya?ml)$/i.exec(path)?.groups?.['extension']?.toLowerCase()
  return extension === undefined ? undefined : extension === 'json' ? 'json' : 'yaml'
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
