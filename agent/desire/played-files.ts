// Which files of a host's services `.kube` quadlets play, by what `Yaml=` names: also files outside the directories of quadlets, and
// of other services. And what text a quadlet or a played file has, through the links of the repository. Pure.
import { posix } from 'node:path'
import { generatedService, type Quadlet, quadletAt, quadletsMergedWith } from '../../shared/repository/quadlet.ts'
import { withUsualDirectories } from '../../shared/repository/quadlet-power.ts'
import { quadletWords } from '../../shared/repository/quadlet-words.ts'
import { linkedPath, usualPlaceOf } from '../../shared/repository/reserved.ts'
import { unitSettings } from '../../shared/repository/unit-settings.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import { meantBy, pathNamedInUnit } from './named-paths.ts'

/** By path inside the repository. */
type Texts = ReadonlyMap<string, string>

/** By the usual place on a host. Two services of which no host has both may have one path. */
export type FilesByPlace = ReadonlyMap<string, readonly ManagedFile[]>

export function filesByPlace(services: readonly ManagedService[]): FilesByPlace {
  const files = services.flatMap((service) => service.files)
  return Map.groupBy(files, ({ target }) => usualPlaceOf(target))
}

export function quadletOf({ target }: ManagedFile): Quadlet | undefined {
  return quadletAt(target) ?? quadletsMergedWith(target)
}

/** With links that lead to them. */
export function playedFiles(byPlace: FilesByPlace, texts: Texts): ReadonlySet<ManagedFile> {
  const named = [...byPlace.values()].flat().flatMap((file) => {
    const quadlet = quadletOf(file)
    const ends = quadlet?.kind === 'kube' ? endsOf(file, byPlace) : []
    return quadlet === undefined ? [] : ends.flatMap(({ source }) => playedBy(quadlet, texts.get(source) ?? ''))
  })
  if (named.length === 0) return new Set()
  const sorted = [...byPlace.keys()].toSorted((one, other) => (one < other ? -1 : 1))
  const places = named.flatMap((path) => meantBy({ path: usualPlaceOf(path), isExact: true }, sorted))
  return new Set(places.flatMap((place) => byPlace.get(place) ?? []))
}

function playedBy(quadlet: Quadlet, text: string): readonly string[] {
  const settings = unitSettings(text)
  const unit = generatedService(quadlet, settings)
  return settings
    .filter(({ section, key }) => section === quadlet.section && key === 'Yaml')
    .flatMap(({ value }) => quadletWords(value))
    .map((word) => {
      const usual = withUsualDirectories(word)
      // What only the host or an instance knows may be any file.
      const path = pathNamedInUnit(usual, `/etc/systemd/system/${unit}`)
        .replace(/%[a-zA-Z]/g, '*')
        .replace(/\*+/g, '*')
      return posix.resolve(posix.dirname(quadlet.main), path)
    })
}

/** As the kernel follows links, so many and no more. */
const mostLinks = 40

/** The files that a file is, or that its links lead to; none: they lead out of the repository. */
export function endsOf(file: ManagedFile, byPlace: FilesByPlace): readonly ManagedFile[] {
  let ends: readonly ManagedFile[] = [file]
  for (let step = 0; step < mostLinks && ends.some(isLink); step += 1)
    ends = ends.flatMap((one) =>
      one.kind === 'symlink' ? (byPlace.get(usualPlaceOf(linkedPath(one.target, one.link))) ?? []) : [one],
    )
  return ends.filter((one) => !isLink(one))
}

/** What masks a quadlet. */
export function isMasked(file: ManagedFile): boolean {
  return file.kind === 'symlink' && file.link === '/dev/null'
}

function isLink({ kind }: ManagedFile): boolean {
  return kind === 'symlink'
}
