// Generated revisions, and what people and programs do to a host between them.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import type { DirectoryResource, FileResource, SymlinkResource } from '../../../shared/resource.ts'
import { directory, file, symlink, type World } from './world.ts'

type PathResource = FileResource | SymlinkResource | DirectoryResource

export const paths = ['/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f', '/g/h/i', '/g/h/j'] as const

const resource = fc.oneof(
  fc
    .record({
      path: fc.constantFrom(...paths),
      text: fc.constantFrom('', 'one', 'two'),
      mode: fc.constantFrom(0o644, 0o600),
    })
    .map(({ path, text, mode }) => file(path, text, { mode })),
  fc
    .record({ path: fc.constantFrom(...paths), target: fc.constantFrom('x', '/nowhere') })
    .map(({ path, target }) => symlink(path, target)),
  fc
    .record({ path: fc.constantFrom(...paths), purge: fc.boolean(), mode: fc.constantFrom(0o755, 0o700) })
    .map(({ path, ...more }) => directory(path, more)),
)

/** As desire would give it: one resource for a path, nothing below a file or link, `keep` filled in. */
export const resources = fc.array(resource, { maxLength: 6 }).map(withoutClashes)

function withoutClashes(all: readonly PathResource[]): readonly PathResource[] {
  const chosen = new Map<string, PathResource>()
  for (const one of all) {
    const clashes = [...chosen.values()].some(
      (other) =>
        other.path === one.path ||
        (one.path.startsWith(`${other.path}/`) && other.kind !== 'directory') ||
        (other.path.startsWith(`${one.path}/`) && one.kind !== 'directory'),
    )
    if (!clashes) chosen.set(one.path, one)
  }
  return [...chosen.values()].map((one) =>
    one.kind === 'directory' ? { ...one, keep: keptIn(one.path, [...chosen.keys()]) } : one,
  )
}

function keptIn(path: string, all: readonly string[]): readonly string[] {
  const inside = all.filter((other) => other.startsWith(`${path}/`))
  return [...new Set(inside.map((other) => other.slice(path.length + 1).split('/')[0] ?? ''))]
}

/** What people and programs do to a host. */
export const edit = fc.record({
  path: fc.constantFrom(...paths, '/a/extra', '/e/extra'),
  what: fc.constantFrom('remove', 'write', 'chmod', 'fifo', 'link', 'directory', 'full directory'),
})
type Edit = { readonly path: string; readonly what: string }

export function make({ root }: World, { path, what }: Edit): void {
  const at = join(root, path)
  try {
    if (what === 'chmod') chmodSync(at, 0o750)
    if (what === 'chmod') return
    rmSync(at, { recursive: true, force: true })
    if (what === 'remove') return
    mkdirSync(dirname(at), { recursive: true })
    if (what === 'write') writeFileSync(at, 'by hand')
    if (what === 'fifo') execFileSync('mkfifo', [at])
    if (what === 'link') symlinkSync('/by/hand', at)
    if (what.endsWith('directory')) mkdirSync(at)
    if (what === 'full directory') writeFileSync(join(at, 'inside'), 'by hand')
  } catch {
    // A file stands where a directory would be needed: then this person did nothing.
  }
}

/** A line of a plan as the apply tells it; a service's name may stand before it. */
export const inPast = (line: string) =>
  Object.entries({
    remove: 'removed',
    leave: 'left',
    write: 'wrote',
    link: 'linked',
    make: 'made',
    correct: 'corrected',
    restore: 'restored',
  })
    .reduce((text, [now, past]) => text.replace(new RegExp(`(^|: )${now} `), `$1${past} `), line)
    .replace('(is a ', '(was a ')
