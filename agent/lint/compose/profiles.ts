// A compose project all of whose services are in profiles, none of them active: it has no containers. Pure.
import { readEnvironment } from '../../../shared/repository/compose-environment.ts'
import type { LintWarning } from '../warning.ts'
import { isKnown, listOf, namedIn, textOf, withoutPlaceholders } from './model.ts'
import { type ComposeProject, placeOf } from './project.ts'

export function noServiceSelected({ source, files, isWhole }: ComposeProject): readonly LintWarning[] {
  const { service } = source.managed
  const [main] = files
  const active = activeProfiles(source)
  const services = Map.groupBy(
    files.flatMap(({ root }) => namedIn(root, 'services')),
    ({ name }) => name,
  )
  if (main === undefined || !isWhole || active === undefined || active.has('*') || services.size === 0) return []
  const profiles = [...services].map(([, own]) => own.flatMap(({ fields }) => listOf(fields['profiles'])))
  const isOff = (own: readonly unknown[]) =>
    own.length > 0 &&
    own.every((each) => textOf(each) !== undefined && !active.has(String(each)) && isKnown(String(each)))
  if (!profiles.every(isOff)) return []
  const names = [...new Set(profiles.flat().map(String))].toSorted()
  return [
    {
      code: 'compose-nothing-selected',
      message: `no service is selected: each is in a profile (${names.join(', ')}), and none of them is active, so that the project has no containers.`,
      where: placeOf(main, ['services']),
      remedy: `Write COMPOSE_PROFILES=${names[0]} into .env beside the compose file, or take \`profiles\` out of what is always to run.`,
      service: service.name,
    },
  ]
}

/** By `.env`; undefined: not known here. */
export function activeProfiles({ managed, texts }: ComposeProject['source']): ReadonlySet<string> | undefined {
  const file = managed.service.compose?.files.find(({ target }) => target === '.env')
  if (file === undefined) return new Set()
  const text = file.kind === 'symlink' ? undefined : texts.get(file.source)
  if (text === undefined) return undefined
  const written = readEnvironment(withoutPlaceholders(text)).values.get('COMPOSE_PROFILES') ?? ''
  return isKnown(written) ? new Set(written.split(',').map((name) => name.trim())) : undefined
}
