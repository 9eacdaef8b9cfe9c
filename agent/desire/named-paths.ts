// Paths of the host that a compose file, a unit or a quadlet names as something it reads. Pure, and not a parser: a path too
// many leads to a `compose up` that finds nothing to do.
import { posix } from 'node:path'

/** `isExact`: what is below a directory of this name is not meant. */
export type Named = { readonly path: string; readonly isExact: boolean }

/** Sources of mounts, `env_file`, files of configs and secrets, `extends`, `include`: whatever looks like a path. */
export function pathsInCompose(text: string, directory: string): readonly Named[] {
  const words = text.match(/(?:\.{0,2}\/)[^\s"'`,;:[\]{}()<>|#]+/g) ?? []
  const paths = new Set(words.map((word) => posix.resolve(directory, word)))
  return [...paths].map((path) => ({ path, isExact: !isDeep(path) }))
}

/**
 * What a unit reads at its start: `EnvironmentFile=`, the programs of `ExecStart=` and its like with their arguments, credentials, standard input,
 * and the mounts of a unit or quadlet.
 */
export function pathsInUnit(text: string, unitFile: string): readonly Named[] {
  const unit = unitNameOf(unitFile)
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, key = '', value = ''] = /^\s*([A-Za-z]+)\s*=\s*(.*)$/.exec(line) ?? []
      const read = readers[key]?.(value.trim()) ?? []
      const args = (argumentsIn[key]?.(value) ?? []).map((path) => ({ path, isExact: true }))
      return [...read.map((path) => ({ path, isExact: false })), ...args]
    })
    .map(({ path, isExact }) => ({ path: besideQuadlet(withoutSpecifiers(path, unit), unitFile), isExact }))
    .filter(({ path }) => path.startsWith('/'))
    .map(({ path, isExact }) => ({ path: posix.normalize(path), isExact: isExact || !isDeep(path) }))
}

/** A path in a unit file, drop-in or quadlet: `*` for what depends on the instance. */
export function pathNamedInUnit(path: string, unitFile: string): string {
  return withoutSpecifiers(path, unitNameOf(unitFile))
}

/** Of sorted paths, those that a name means: itself, what is below it, and what a `*` in it stands for. */
export function meantBy({ path, isExact }: Named, sorted: readonly string[]): readonly string[] {
  if (path.includes('*')) return sorted.filter((one) => asPattern(path).test(one))
  const start = firstFrom(path, sorted)
  const own = sorted[start] === path ? [path] : []
  if (isExact) return own
  const first = firstFrom(`${path}/`, sorted)
  // `0` follows `/`: the end of all paths below this one.
  return [...own, ...sorted.slice(first, firstFrom(`${path}0`, sorted))]
}

function firstFrom(path: string, sorted: readonly string[]): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? '') < path) low = middle + 1
    else high = middle
  }
  return low
}

/** `/etc` in a container is a look at the host; `/etc/app` is the container's configuration. */
function isDeep(path: string): boolean {
  return path.split('/').length > 2
}

/** Podman takes a relative path of a quadlet from the quadlet's own directory. */
function besideQuadlet(path: string, unitFile: string): string {
  const isQuadlet = unitFile.startsWith('/etc/containers/systemd/')
  return isQuadlet && /^\.{1,2}\//.test(path) ? posix.resolve(posix.dirname(unitFile), path) : path
}

const perhapsRelative = (path: string) => (/^[/%]/.test(path) ? path : `./${path}`)

const program = (value: string) => [/^[-@:+!|]*"?([^\s"]+)/.exec(value)?.[1] ?? '']
const credential = (value: string) => [value.slice(value.indexOf(':') + 1)]

const readers: Readonly<Record<string, (value: string) => readonly string[]>> = {
  EnvironmentFile: (value) => [perhapsRelative(value.replace(/^-/, '').replaceAll('"', ''))],
  ...{ ExecCondition: program, ExecStartPre: program, ExecStart: program, ExecStartPost: program },
  LoadCredential: credential,
  LoadCredentialEncrypted: credential,
  Volume: sourceOfMount,
  BindPaths: sourcesOfMounts,
  BindReadOnlyPaths: sourcesOfMounts,
  StandardInput: (value) => [/^file:(.*)$/.exec(value)?.[1] ?? ''],
  OpenFile: (value) => [value.split(':')[0] ?? ''],
  Mount: (value) => [/(?:^|,)(?:source|src)=([^,]+)/.exec(value)?.[1] ?? ''],
  PodmanArgs: pathWords,
  Yaml: (value) => [perhapsRelative(value)],
  Image: (value) => (/\.(?:build|image)$/.test(value) ? [`./${value}`] : []),
  File: (value) => [perhapsRelative(value)],
  SetWorkingDirectory: (value) => [value],
  ConfigMap: (value) => [perhapsRelative(value)],
}

/** Files, not what is below a directory: a program that serves one sees for itself what changes in it. */
const argumentsIn: Readonly<Record<string, (value: string) => readonly string[]>> = {
  ...{ ExecCondition: pathWords, ExecStartPre: pathWords, ExecStart: pathWords, ExecStartPost: pathWords },
  Exec: pathWords,
}

function sourceOfMount(value: string): readonly string[] {
  return [value.split(':')[0] ?? '']
}

function sourcesOfMounts(value: string): readonly string[] {
  return value.split(/\s+/).map((mount) => (mount.split(':')[0] ?? '').replaceAll(/["]|^-/g, ''))
}

/** `--config=/etc/x`, `/etc/x:/y`. */
function pathWords(value: string): readonly string[] {
  return [...value.matchAll(/(?:^|[\s"'=,])(\/[^\s"',;:]+)/g)].map(([, path = '']) => path)
}

/** `app@.service` of its unit file, drop-in or quadlet. */
function unitNameOf(path: string): string {
  const [, name = ''] = /^\/etc\/(?:systemd\/system|containers\/systemd)\/([^/]+)/.exec(path) ?? []
  return name.replace(/\.d$/, '')
}

/** Specifiers that the name alone decides; an instance may be any. */
function withoutSpecifiers(path: string, unit: string): string {
  const whole = unit.replace(/\.[a-z]+$/, '')
  const values: Readonly<Record<string, string>> = {
    n: unit,
    N: whole,
    p: whole.replace(/@.*$/, ''),
    i: '*',
    I: '*',
    '%': '%',
  }
  return path.replace(/%(.)/g, (specifier, letter: string) => values[letter] ?? specifier)
}

function asPattern(path: string): RegExp {
  const parts = path.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^/]*')}$`)
}
