// What on a host changes a unit beside its package's own file: drop-ins and whole unit files in /etc and /run, such as
// `systemctl edit` and `systemctl set-property` leave. Whether the repository has them is compared later (plan/compare.ts).
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { templateOfUnit } from '../../shared/repository/unit-names.ts'
import type { FileReader } from '../host/files.ts'

/** Where people and programs put them, and generators do not (those are below /run/systemd/generator*). */
export const localUnitRoots = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
].map((path) => absolutePathSchema.parse(path))
const unitRoots = localUnitRoots.slice(0, 2)
const packageRoots = ['/usr/lib/systemd/system', '/lib/systemd/system']

/** Of each unit, what is there. Drop-ins for many units at once (`service.d`, `foo-.service.d`) are nobody's. */
export function overridesOf(units: readonly string[], files: FileReader): ReadonlyMap<string, readonly AbsolutePath[]> {
  const roots = localUnitRoots.map((root) => ({ root, names: new Set(files.list(root)) }))
  return new Map(
    units.map((unit) => {
      const names = [...new Set([unit, templateOfUnit(unit)])]
      const paths = roots.flatMap(({ root, names: here }) =>
        names.flatMap((name) => [
          ...(here.has(`${name}.d`) ? dropIns(`${root}/${name}.d`, files) : []),
          ...(here.has(name) && unitRoots.includes(root) ? replacement(root, name, files) : []),
        ]),
      )
      return [unit, paths]
    }),
  )
}

/** In /etc or /run, but not what a generator made of another file. */
export function isLocal(path: string): boolean {
  return /^\/(?:etc|run)\/systemd\/(?!generator)/.test(path)
}

function dropIns(directory: string, files: FileReader): readonly AbsolutePath[] {
  const path = absolutePathSchema.parse(directory)
  return files
    .list(path)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => absolutePathSchema.parse(`${path}/${name}`))
}

/** A unit file that stands in front of a package's; masks and aliases are links that say less, and enabling has made them. */
function replacement(root: AbsolutePath, name: string, files: FileReader): readonly AbsolutePath[] {
  const path = absolutePathSchema.parse(`${root}/${name}`)
  const link = files.readLink(path)
  const isOwn = link === undefined || !/^(?:\/dev\/null$|\/(?:usr\/)?lib\/|[^/])/.test(link)
  const isPackaged = packageRoots.some((lib) => files.stat(absolutePathSchema.parse(`${lib}/${name}`)) !== undefined)
  return isOwn && isPackaged ? [path] : []
}
