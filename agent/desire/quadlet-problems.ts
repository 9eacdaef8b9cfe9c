// Quadlets that give containers power over the host, unless service.yaml allows it by name; lint reports it, and a host does not apply
// the service. Pure.
import type { Problem } from '../../shared/problem.ts'
import { allowLine } from '../../shared/repository/compose-power.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import { kubeGiven } from '../../shared/repository/kube-power.ts'
import { mountDanger } from '../../shared/repository/mount-danger.ts'
import { generatedService } from '../../shared/repository/quadlet.ts'
import {
  type QuadletPath,
  type QuadletPower,
  quadletPaths,
  quadletPowers,
} from '../../shared/repository/quadlet-power.ts'
import { usualPlaceOf } from '../../shared/repository/reserved.ts'
import { unitSettings } from '../../shared/repository/unit-settings.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import { endsOf, type FilesByPlace, filesByPlace, isMasked, playedFiles, quadletOf } from './played-files.ts'

/** What a template begins a value with. */
const placeholder = `\${{`

/** By path inside the repository. */
type Texts = ReadonlyMap<string, string>

export type GivenByQuadlet = {
  readonly file: ManagedFile
  readonly powers: readonly QuadletPower[]
  readonly paths: readonly QuadletPath[]
  /** Why not all that it gives is known. */
  readonly unread?: { readonly line: number; readonly why: string }
}

/** One for each file. */
export function quadletProblems(
  services: readonly ManagedService[],
  texts: Texts,
  unfilled?: Sources,
): readonly Problem[] {
  const host = hostFiles(services, texts, unfilled)
  return services.flatMap((managed) => {
    const { service } = managed
    const { allow, allowMounts } = service.settings.quadlets
    return givenBy(managed, host).flatMap(({ file, powers, paths, unread }) => {
      if (unread !== undefined) return [{ ...unreadProblem(file, unread), service: service.name }]
      const refused = powers.filter(({ allowance }) => !allow.includes(allowance))
      const dangerous = paths
        .filter(({ path }) => !allowMounts.some((allowed) => usualPlaceOf(allowed) === usualPlaceOf(path)))
        .flatMap((one) => {
          const why = mountDanger(one.path)
          return why === undefined ? [] : [{ ...one, why }]
        })
      const [first] = [...dangerous, ...refused].toSorted((one, other) => one.line - other.line)
      if (first === undefined) return []
      const found = [...dangerous, ...refused].map(({ written, why }) => `${written}: ${why}`)
      const line = allowLine(
        refused.length === 0 ? [] : [...allow, ...refused.map(({ allowance }) => allowance)],
        dangerous.length === 0 ? [] : [...allowMounts, ...dangerous.map(({ path }) => path)],
        'quadlets',
      )
      const remedy = `If that is meant, say so in service.yaml: ${line}`.slice(0, 2000)
      const where = { file: file.source, line: first.line }
      const message = [...new Set(found)].join('; ').slice(0, 4000)
      return [{ ...invalid(message, where, { code: 'unsafe-path', remedy }), service: service.name }]
    })
  })
}

/** What cannot be judged is not applied: nothing in service.yaml allows it. */
function unreadProblem(file: ManagedFile, { line, why }: NonNullable<GivenByQuadlet['unread']>): Problem {
  const message = `it ${why}, so that what it gives containers of the host is not known`
  const remedy =
    'Write it so that it can be read here: a plain file of the repository, in valid syntax, of at most 256 KiB.'
  return invalid(message, { file: file.source, line }, { code: 'unsafe-path', remedy })
}

/** What every quadlet, drop-in and file that a `.kube` plays gives. */
export function givenBy(
  { files }: ManagedService,
  { byPlace, played, texts, unfilled }: HostFiles,
): readonly GivenByQuadlet[] {
  return files.flatMap((file): readonly GivenByQuadlet[] => {
    const quadlet = quadletOf(file)
    if ((quadlet === undefined && !played.has(file)) || isMasked(file)) return []
    const ends = endsOf(file, byPlace)
    if (ends.length === 0) return [unreadable(file, 'is a link to what is not in the repository')]
    return ends.flatMap((end) => {
      if (unfilled.has(end.source)) return []
      const text = texts.get(end.source)
      if (text === undefined) return unreadable(file, 'is too large, or no text')
      if (quadlet === undefined) return givenByPlayed(file, end, text)
      const settings = unitSettings(text)
      const unit = generatedService(quadlet, settings)
      return { file, powers: quadletPowers(quadlet, settings), paths: quadletPaths(quadlet, settings, unit) }
    })
  })
}

function unreadable(file: ManagedFile, why: string): GivenByQuadlet {
  return { file, powers: [], paths: [], unread: { line: 1, why } }
}

function givenByPlayed(file: ManagedFile, { settings }: ManagedFile, text: string): GivenByQuadlet {
  const { unread, ...given } = kubeGiven(text)
  const isOpen = settings.template && text.includes(placeholder)
  return { file, ...given, ...(unread === undefined || isOpen ? {} : { unread }) }
}

export type HostFiles = {
  readonly byPlace: FilesByPlace
  readonly played: ReadonlySet<ManagedFile>
  readonly texts: Texts
  /** Templates that could not be filled in: their service is withheld for that. */
  readonly unfilled: Sources
}

type Sources = { readonly has: (source: string) => boolean }

/** `services`: all of a host, or of the repository. */
export function hostFiles(
  services: readonly ManagedService[],
  texts: Texts,
  unfilled: Sources = new Set<string>(),
): HostFiles {
  const byPlace = filesByPlace(services)
  return { byPlace, played: playedFiles(byPlace, texts), texts, unfilled }
}
