// Entries of service.yaml that the compose file has no use for (any more): they would let a later change of it through unseen. Pure.
import { networkPowers, powersOf, volumePowers } from '../../../shared/repository/compose-power.ts'
import { usualPlaceOf } from '../../../shared/repository/reserved.ts'
import type { LintWarning } from '../warning.ts'
import { type Fields, fieldsOf, filledIn, isKnown, namedIn, sectionsOf } from './model.ts'
import type { ComposeProject } from './project.ts'

export function unusedAllowances(project: ComposeProject): readonly LintWarning[] {
  const { service } = project.source.managed
  const { allow = [], allowMounts = [], moveMounts = [] } = service.settings.compose ?? {}
  const texts = project.files.flatMap(({ root }) => textsIn(root))
  // What a template or a file that is not here says may be what it is for.
  if (!project.isWhole || project.read.length > project.files.length || !texts.every(isKnown)) return []
  const sections = sectionsOf(project.files)
  const given = new Set(project.files.flatMap((file) => allowancesIn(file, sections)))
  // What such a volume is, the host knows.
  const isExternal = namedIn(sections, 'volumes').some(({ fields }) => fields['external'] !== undefined)
  const named = (key: string, index: number) => service.settingsPlace(['compose', key, index])
  const warning = (key: string, index: number, message: string): LintWarning => ({
    code: 'compose-allowance-unused',
    message,
    where: named(key, index),
    remedy: 'Take it out of service.yaml.',
    service: service.name,
  })
  return [
    ...allow.flatMap((one, index) =>
      given.has(one) || (isExternal && one.startsWith('volume-type:'))
        ? []
        : [warning('allow', index, `${one} is allowed, and nothing in the compose file is given it.`)],
    ),
    ...allowMounts.flatMap((path, index) =>
      isExternal || mentions(texts, path)
        ? []
        : [warning('allowMounts', index, `${path} may be mounted, and nothing in the compose file names it.`)],
    ),
    ...moveMounts.flatMap((source, index) =>
      texts.some((text) => sourceOf(text) === source)
        ? [warning('moveMounts', index, `${source} may be left behind, and the compose file mounts it.`)]
        : [],
    ),
  ]
}

function allowancesIn({ root }: ComposeProject['files'][number], sections: Fields): readonly string[] {
  const networks = fieldsOf(root['networks'])
  return namedIn(root, 'services').flatMap(({ fields }) =>
    [
      ...powersOf(fields),
      ...networkPowers(fields, networks),
      ...volumePowers(fields, fieldsOf(sections['volumes'])),
    ].map(({ allowance }) => allowance),
  )
}

/** By any of its usual names, at the beginning of a mount or below: also what a link leads to, which only the host knows. */
function mentions(texts: readonly string[], path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const isApiSocket = /\/docker\.sock$/.test(path) && texts.includes('use_api_socket')
  return (
    isApiSocket || texts.some((text) => usualPlaceOf(text).includes(usualPlaceOf(path)) || text.includes(`/${name}`))
  )
}

/** `/srv/a` of `/srv/a:/data:ro`. */
function sourceOf(text: string): string {
  return text.split(':')[0] ?? text
}

/** All texts of a document, the names of its keys among them. What a variable without a value stands for is not known. */
function textsIn(value: unknown): readonly string[] {
  if (value === undefined) return [filledIn]
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [key, ...textsIn(inner)])
}
