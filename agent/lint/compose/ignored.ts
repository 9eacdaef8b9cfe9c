// What compose takes without a word and does not do, since it is for a swarm: nothing fails, and containers are not as it says. Pure.
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import type { LintWarning } from '../warning.ts'
import { type Fields, fieldsOf, type Named, namedIn, textOf } from './model.ts'
import { type ComposeProject, placeOf } from './project.ts'

type Ignored = { readonly path: KeyPath; readonly what: string; readonly why: string; readonly remedy: string }

export function ignoredKeys({ source, files }: ComposeProject): readonly LintWarning[] {
  const { service } = source.managed
  const definitions = { secrets: definedIn(files, 'secrets'), configs: definedIn(files, 'configs') }
  return files.flatMap((file) =>
    namedIn(file.root, 'services')
      .flatMap((named) => [...ownersOf(named, definitions), ...deployOf(named)])
      .map(({ path, what, why, remedy }) => ({
        code: 'compose-key-ignored',
        message: `${what} is ignored: ${why}.`,
        where: placeOf(file, path),
        remedy,
        service: service.name,
      })),
  )
}

type Definitions = Readonly<Record<'secrets' | 'configs', ReadonlyMap<string, Fields>>>

function definedIn(files: ComposeProject['files'], section: 'secrets' | 'configs'): ReadonlyMap<string, Fields> {
  return new Map(files.flatMap(({ root }) => namedIn(root, section).map(({ name, fields }) => [name, fields] as const)))
}

/** A file is mounted as it is; contents of the compose file and of variables are copied in, with an owner. */
function ownersOf({ fields, path }: Named, definitions: Definitions): readonly Ignored[] {
  return (['secrets', 'configs'] as const).flatMap((section) => {
    const uses = Array.isArray(fields[section]) ? fields[section] : []
    return uses.flatMap((use, index): readonly Ignored[] => {
      const given = fieldsOf(use)
      const name = textOf(given['source']) ?? ''
      const file = definitions[section].get(name)?.['file']
      const keys = ['uid', 'gid', 'mode'].filter((key) => given[key] !== undefined)
      if (file === undefined || keys.length === 0) return []
      return [
        {
          path: [...path, section, index, keys[0] ?? ''],
          what: `${keys.join(', ')} of ${section} ${name}`,
          why: 'the file is mounted with the owner and mode that it has on the host',
          remedy: 'Give the file owner, group and mode under `files` in service.yaml; numbers are taken too.',
        },
      ]
    })
  })
}

function deployOf({ fields, path }: Named): readonly Ignored[] {
  const deploy = fieldsOf(fields['deploy'])
  const mode = textOf(deploy['mode'])
  const keys = ['placement', 'update_config', 'rollback_config', 'endpoint_mode'].filter(
    (key) => deploy[key] !== undefined,
  )
  const all = mode !== undefined && mode !== 'replicated' ? [...keys, 'mode'] : keys
  return all.map((key) => ({
    path: [...path, 'deploy', key],
    what: `deploy.${key}`,
    why: 'it is for a swarm, and docker compose does nothing with it',
    remedy: 'Remove it, or say it for each host in plumb.yaml.',
  }))
}
