// Files that arrive on a host and do nothing there: the tables over every file, and what takes more than one file to see. Pure.
import { compact } from '../../../shared/compact.ts'
import { quoted } from '../../../shared/repository/invalid.ts'
import type { ManagedFile, ManagedService } from '../../desire/managed-files.ts'
import type { LintWarning } from '../warning.ts'
import { contentPitfalls } from './contents.ts'
import { namePitfalls } from './names.ts'
import type { Inspected, Pitfall } from './pitfall.ts'
import { namedByQuadlets } from './quadlet-files.ts'

const pitfalls: readonly Pitfall[] = [...namePitfalls, ...contentPitfalls]

/** `texts`: by path inside the repository. */
export function fileWarnings(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): readonly LintWarning[] {
  const directories = new Set(services.flatMap(({ service }) => [...service.settings.directories.keys()].map(String)))
  const named = namedByQuadlets(services, texts)
  return services.flatMap((managed) => [
    ...managed.files.flatMap((file) => ofFile(file, managed, { text: texts.get(file.source), named })),
    ...homeDirectories(managed, directories),
  ])
}

type Known = {
  readonly text: string | undefined
  /** Paths that a quadlet names. */
  readonly named: ReadonlySet<string>
}

function ofFile(file: ManagedFile, { service }: ManagedService, known: Known): readonly LintWarning[] {
  const inspected = inspectedFrom(file, service.directory, known)
  const climbs = file.kind === 'symlink' && !file.inProject ? climbsOut(file, service.name) : []
  return [
    ...climbs,
    ...pitfalls.flatMap(({ code, at, holds, message, remedy }) => {
      const found = at.test(inspected.target) && holds(inspected)
      if (found === false) return []
      const where = { file: file.source, ...(found === true ? {} : { line: found }) }
      const how = typeof remedy === 'string' ? remedy : remedy(file.source)
      return [{ code, message: `${message}.`, where, remedy: how, service: service.name }]
    }),
  ]
}

function inspectedFrom(file: ManagedFile, directory: string, { text, named }: Known): Inspected {
  const { target, kind, settings } = file
  const isExecutable = file.kind === 'file' && file.executable && !file.source.startsWith(`${directory}/units/`)
  return {
    target,
    name: target.slice(target.lastIndexOf('/') + 1),
    kind,
    mode: settings.mode ?? (isExecutable ? 0o755 : 0o644),
    settings,
    isNamedByQuadlet: named.has(target),
    ...compact({ text }),
  }
}

/** Above `/` is `/`: such a link counts the repository's directories, not the host's. */
function climbsOut(file: Extract<ManagedFile, { kind: 'symlink' }>, service: string): readonly LintWarning[] {
  const { link, source, target } = file
  const steps = link.split('/').filter((part) => part === '..').length
  if (link.startsWith('/') || steps < target.split('/').length - 1) return []
  return [
    {
      code: 'link-above-root',
      message: `links to ${quoted(link)}, which on the host leads above /: counted from ${target}, not from the repository.`,
      where: { file: source },
      remedy: 'Link to the path on the host.',
      service,
    },
  ]
}

/** Directories that are made on the way belong to root; sshd and the user's programs expect the user there. */
function homeDirectories({ service, files }: ManagedService, known: ReadonlySet<string>): readonly LintWarning[] {
  const byDirectory = new Map<string, ManagedFile>()
  for (const file of files)
    for (const directory of belowHome(file.target))
      if (!known.has(directory) && !byDirectory.has(directory)) byDirectory.set(directory, file)
  return [...byDirectory].map(([directory, { source }]) => ({
    code: 'home-directory-owner',
    message: `${directory} will belong to root when it has to be made, and not to the user whose home it is in.`,
    where: { file: source },
    remedy: `Name it under \`directories\` in service.yaml with its owner and mode.`,
    service: service.name,
  }))
}

/** `/home/anna/.ssh` of `/home/anna/.ssh/authorized_keys`. */
function belowHome(target: string): readonly string[] {
  if (!target.startsWith('/home/')) return []
  const parts = target.split('/')
  return parts.slice(4).map((_, index) => parts.slice(0, index + 4).join('/'))
}
