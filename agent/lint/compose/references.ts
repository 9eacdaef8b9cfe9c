// The files and directories that a compose file names by a path of its own. Pure.
import { posix } from 'node:path'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import { type Fields, fieldsOf, listOf, type Named, namedIn, textOf } from './model.ts'

export type Reference = {
  readonly path: KeyPath
  /** As the compose file has it. */
  readonly written: string
  /** `compose`: read as a compose file too. `mount`: docker makes a directory where there is nothing. */
  readonly use: 'file' | 'build' | 'compose' | 'mount'
  /** `env_file`, `build.context`, for messages. */
  readonly key: string
  /** Of a mount: nothing is written there, or its name is a file's. */
  readonly isContent?: boolean
  /** Of a file that is extended: which of its services. */
  readonly service?: string
  /** Of a build context. */
  readonly dockerfile?: string
  /** Of an included file: where its own relative paths begin, by a path from here; default: its directory. */
  readonly projectDirectory?: string
}

export function referencesIn(root: Fields): readonly Reference[] {
  return [
    ...namedIn(root, 'services').flatMap(ofService),
    ...['configs', 'secrets'].flatMap((section) =>
      namedIn(root, section).flatMap(({ fields, path }) => one(fields['file'], [...path, 'file'], section)),
    ),
    ...listOf(root['include']).flatMap(ofInclude),
  ]
}

function ofService(service: Named): readonly Reference[] {
  const { fields, path } = service
  const extended = textOf(fieldsOf(fields['extends'])['file'])
  const named = textOf(fieldsOf(fields['extends'])['service']) ?? ''
  return [
    ...ofEnvironmentFiles(fields['env_file'], [...path, 'env_file']),
    ...many(fields['label_file'], [...path, 'label_file'], 'label_file'),
    ...(extended === undefined
      ? []
      : [
          {
            path: [...path, 'extends', 'file'],
            written: extended,
            use: 'compose' as const,
            key: 'extends',
            service: named,
          },
        ]),
    ...ofBuild(fields['build'], [...path, 'build']),
    ...listOf(fields['volumes']).flatMap((volume, index) => ofMount(volume, [...path, 'volumes', index])),
  ]
}

function ofInclude(value: unknown, index: number): readonly Reference[] {
  const path: KeyPath = ['include', index]
  const fields = fieldsOf(value)
  const files = (textOf(value) === undefined ? listOf(fields['path']) : [value]).flatMap((item) => textOf(item) ?? [])
  const [first = ''] = files
  const projectDirectory = textOf(fields['project_directory']) ?? posix.dirname(first)
  return [
    ...files.map((written) => ({ path, written, use: 'compose' as const, key: 'include', projectDirectory })),
    ...many(fields['env_file'], [...path, 'env_file'], 'env_file'),
  ]
}

function ofEnvironmentFiles(value: unknown, path: KeyPath): readonly Reference[] {
  return listOf(value).flatMap((item, index) => {
    const at = Array.isArray(value) ? [...path, index] : path
    const fields = fieldsOf(item)
    return fields['required'] === false ? [] : one(textOf(item) ?? fields['path'], at, 'env_file')
  })
}

function ofBuild(value: unknown, path: KeyPath): readonly Reference[] {
  if (value === undefined || value === null) return []
  const fields = fieldsOf(value)
  const context = textOf(value) ?? textOf(fields['context']) ?? '.'
  const at = fields['context'] === undefined ? path : [...path, 'context']
  const dockerfile = fields['dockerfile_inline'] === undefined ? { dockerfile: textOf(fields['dockerfile']) ?? '' } : {}
  return [
    { path: at, written: context, use: 'build', key: 'build', ...dockerfile },
    ...moreContexts(fields['additional_contexts'], [...path, 'additional_contexts']),
  ]
}

/** A map by name, or a list of `name=path`. */
function moreContexts(value: unknown, path: KeyPath): readonly Reference[] {
  const written = Array.isArray(value)
    ? value.map((item: unknown, index) => ({ at: index, text: textOf(item)?.replace(/^[^=]*=/, '') }))
    : Object.entries(fieldsOf(value)).map(([name, item]) => ({ at: name, text: textOf(item) }))
  return written.flatMap(({ at, text }) =>
    text === undefined
      ? []
      : [{ path: [...path, at], written: text, use: 'build' as const, key: 'additional_contexts' }],
  )
}

function ofMount(value: unknown, path: KeyPath): readonly Reference[] {
  const short = textOf(value)
  if (short !== undefined) {
    const [source = '', target = '', ...options] = short.split(':')
    if (!/^\.{1,2}(?:\/|$)/.test(source)) return []
    return [mount(source, path, options.join(',').split(',').includes('ro') || isFileName(target))]
  }
  const fields = fieldsOf(value)
  const source = textOf(fields['source'])
  if (fields['type'] !== 'bind' || source === undefined) return []
  const isContent = fields['read_only'] === true || isFileName(textOf(fields['target']) ?? '')
  return [mount(source, path, isContent || fieldsOf(fields['bind'])['create_host_path'] === false)]
}

function mount(written: string, path: KeyPath, isContent: boolean): Reference {
  return { path, written, use: 'mount', key: 'volumes', isContent }
}

/** `/etc/nginx/conf.d` is a directory, `/etc/caddy/Caddyfile` is none. */
function isFileName(path: string): boolean {
  return /\/(?:[^/]+\.(?!d$)[A-Za-z0-9]{1,8}|[A-Za-z]+file|hosts|passwd|group|\.?htpasswd|authorized_keys|known_hosts)$/.test(
    path,
  )
}

function many(value: unknown, path: KeyPath, key: string): readonly Reference[] {
  return listOf(value).flatMap((item, index) => one(item, Array.isArray(value) ? [...path, index] : path, key))
}

function one(value: unknown, path: KeyPath, key: string): readonly Reference[] {
  const written = textOf(value)
  return written === undefined ? [] : [{ path, written, use: 'file', key }]
}
