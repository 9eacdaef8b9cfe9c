// Quadlets that a commit gives another volume or directory at the same place of their container: it would start without the data that it
// has. Refused as for a compose project (resources/moved-mounts.ts), unless service.yaml says that the data may stay behind. Pure.
import { parseResourceId } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { isOfKind, type UnitResource } from '../../shared/resource.ts'
import type { LiveResource, Subject } from '../resources/kind.ts'
import { repositoryOf } from '../resources/predecessors.ts'

type Moved = {
  /** Whose containers have it now. */
  readonly holder: string
  readonly at: string
  readonly from: string
  readonly desired: UnitResource
  readonly to: string
}

type Observed = Subject & { readonly live: LiveResource }

type Resources = { readonly resources: readonly Observed[] }

/** One for each unit that would see other data. */
export function movedDataProblems({ resources }: Resources): readonly Problem[] {
  const refused = movedIn(resources).filter(({ desired, from }) => desired.moveMounts?.includes(from) !== true)
  return [...Map.groupBy(refused, ({ desired }) => desired.name)].map(([name, own]) => {
    const file = sourceOf(own[0]?.desired, resources)
    return {
      code: 'unsafe-path',
      message:
        `${name} is left as it is, since its container would see other data: ${own.map(movedText).join('; ')}.`.slice(
          0,
          4000,
        ),
      ...(file === undefined ? {} : { where: { file } }),
      remedy: remedyFor(own).slice(0, 2000),
    }
  })
}

/** One sentence for each mount that service.yaml allows to move. */
export function leftData({ resources }: Resources): readonly string[] {
  return movedIn(resources)
    .filter(({ desired, from }) => desired.moveMounts?.includes(from) === true)
    .map((one) => `${movedText(one)}: nothing of the data is taken along`)
}

function movedIn(resources: Resources['resources']): readonly Moved[] {
  const files = resources.filter(({ id }) => isOfKind(id, 'file', 'symlink'))
  const own = new Set(files.map(({ id }) => parseResourceId(id).name))
  const units = resources.filter(({ id }) => isOfKind(id, 'unit'))
  const all = [...units.flatMap(inPlace), ...units.flatMap((one) => byOthers(one, units))]
  // A file of the repository comes with the repository; the content of a declared directory does not.
  return all.filter(({ from, to }) => !own.has(from) && !own.has(to))
}

function inPlace({ desired, live }: Observed): readonly Moved[] {
  const held = live.unit?.held
  if (desired?.kind !== 'unit' || held === undefined) return []
  return movesTo(desired, desired.name, held.mounts)
}

/** A unit leaves, and one of the same image takes its place, unless that has the same data. */
function byOthers({ id, desired, live }: Observed, units: Resources['resources']): readonly Moved[] {
  const held = live.unit?.held
  if (desired !== undefined || held?.image === undefined) return []
  const coming = units.flatMap((one) => {
    const isNew = one.baseline === undefined && one.desired?.kind === 'unit'
    const image = one.desired?.kind === 'unit' ? one.desired.image : undefined
    if (!isNew || image === undefined || repositoryOf(image) !== repositoryOf(held.image ?? '')) return []
    return one.desired?.kind === 'unit' ? [one.desired] : []
  })
  const isKept = ([at, source]: readonly [string, string]) => coming.some(({ mounts }) => mounts?.[at] === source)
  const lost = Object.fromEntries(Object.entries(held.mounts).filter((mount) => !isKept(mount)))
  return coming.flatMap((unit) => movesTo(unit, parseResourceId(id).name, lost))
}

/** What is mounted at no path any more is for the quadlet to say. */
function movesTo(desired: UnitResource, holder: string, mounts: Readonly<Record<string, string>>): readonly Moved[] {
  return Object.entries(mounts).flatMap(([at, from]) => {
    const to = desired.mounts?.[at]
    return to === undefined || to === from ? [] : [{ holder, at, from, desired, to }]
  })
}

function movedText({ holder, at, from, desired, to }: Moved): string {
  const successor = holder === desired.name ? '' : `${desired.name}, which takes its place, `
  return `${holder} has ${from} at ${at}, and ${successor}will have ${to} there`
}

function remedyFor(moved: readonly Moved[]): string {
  const [volume] = moved.filter(({ from }) => !from.startsWith('/'))
  const [path] = moved.filter(({ from }) => from.startsWith('/'))
  const sources = [...new Set(moved.map(({ from }) => from))]
  const stop = `systemctl stop ${[...new Set(moved.map(({ holder }) => holder))].join(' ')}`
  const list = sources.map((source) => (/^[\w./-]+$/.test(source) ? source : JSON.stringify(source))).join(', ')
  return [
    ...(volume === undefined
      ? []
      : [`To keep the data: VolumeName=${volume.from} in the .volume file, or Volume=${volume.from}:${volume.at}.`]),
    ...(path === undefined ? [] : [`To keep the data: Volume=${path.from}:${path.at}.`]),
    `To take it along: ${stop}${volume === undefined ? ', copy it' : copyText(volume)}, and say that the old is left: quadlets: { moveMounts: [${list}] }.`,
    'If it is not needed: the same, without the copy.',
  ].join(' ')
}

function copyText({ from, to }: Moved): string {
  if (to.startsWith('/')) return `, copy what is in podman volume inspect ${from}`
  return `, podman volume create ${to}, podman volume export ${from} | podman volume import ${to} -`
}

function sourceOf(desired: UnitResource | undefined, resources: Resources['resources']): string | undefined {
  const file = resources.find(({ id }) => id === desired?.file)?.desired
  return file !== undefined && 'source' in file ? file.source : undefined
}
