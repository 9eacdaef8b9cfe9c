// A compose project under another name: its volumes have that name in theirs, so that the new one would begin without any data. Pure.
import { parseResourceId } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { isOfKind } from '../../shared/resource.ts'
import type { LiveResource, Subject } from '../resources/kind.ts'

type Compared = Subject & { readonly live: LiveResource }

/** Of the containers of a service that would be removed for a project of another name. */
export function renamedProjects(resources: readonly Compared[]): readonly Problem[] {
  const desired = resources.map((resource) => resource.desired).find((one) => one?.kind === 'compose')
  if (desired?.kind !== 'compose') return []
  const { project, file, replaceProject } = desired
  const leaving = resources.filter(
    (resource) =>
      resource.desired === undefined &&
      isOfKind(resource.id, 'compose') &&
      resource.live.attributes['type'] === 'project',
  )
  const names = leaving.map(({ id }) => parseResourceId(id).name).filter((name) => name !== replaceProject)
  return names.map((name) => ({
    code: 'unsafe-path',
    message: `The compose project ${name} would be called ${project}, and so see other volumes than it has now.`,
    where: { file },
    remedy: `Keep its name: compose: { project: ${name} }. If the data in its volumes is not needed: compose: { replaceProject: ${name} }`,
  }))
}
