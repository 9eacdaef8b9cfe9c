// service.yaml as text: only what the layout cannot say, one line for each file, directory and unit.
import { Document, isMap, isSeq, visit } from 'yaml'
import type { UnitSaid } from './units.ts'

export type FileSaid = {
  readonly mode?: number
  readonly owner?: string
  readonly group?: string
  readonly acl?: readonly string[]
  readonly capabilities?: string
  readonly template?: boolean
  readonly triggers?: readonly string[]
}

export type ComposeSaid = {
  readonly files?: readonly string[]
  readonly directory?: string
  readonly project?: string
}

export type Said = {
  readonly packages: readonly string[]
  /** By path on the host, or beside a compose file by path in the service's directory. */
  readonly files: ReadonlyMap<string, FileSaid>
  readonly directories: ReadonlyMap<string, Pick<FileSaid, 'mode' | 'owner' | 'group'> & { readonly purge?: boolean }>
  readonly units: ReadonlyMap<string, UnitSaid>
  readonly compose?: ComposeSaid
}

/** Undefined when there is nothing to say. */
export function serviceYaml({ packages, files, directories, units, compose = {} }: Said): string | undefined {
  const document = new Document({
    ...(packages.length > 0 ? { packages } : {}),
    ...(files.size > 0 ? { files: withModes(files) } : {}),
    ...(directories.size > 0 ? { directories: withModes(directories) } : {}),
    ...(units.size > 0 ? { units: Object.fromEntries(units) } : {}),
    ...(Object.keys(compose).length > 0 ? { compose } : {}),
  })
  if (isMap(document.contents) && document.contents.items.length === 0) return undefined
  visit(document, {
    Collection: (_, node, ancestors) => {
      // The document, its map, a key's pair: what is below that stands on one line.
      if (ancestors.length > 3 || isSeq(node)) node.flow = true
    },
  })
  return document.toString({ lineWidth: 0 })
}

function withModes(said: ReadonlyMap<string, { readonly mode?: number }>): Record<string, unknown> {
  return Object.fromEntries(
    [...said].map(([path, { mode, ...others }]) => [
      path,
      { ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }), ...others },
    ]),
  )
}
