// Programs of this repository that units start, and that lack permission to execute; units without content. Pure.
import type { Problem } from '../../shared/problem.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import type { ManagedFile, ManagedService } from '../desire/managed-files.ts'

/** `texts`: by path inside the repository. */
export function programProblems(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): readonly Problem[] {
  const programs = new Map(services.flatMap(({ files }) => files.map((file) => [String(file.target), file])))
  return services.flatMap(({ service, files }) =>
    files.filter(isUnit).flatMap(({ source }) =>
      commandsIn(texts.get(source) ?? '').flatMap(({ line, key, program }) => {
        const file = programs.get(program)
        if (file?.kind !== 'file' || isExecutable(file)) return []
        const message = `${key} starts ${program}, which this repository deploys without permission to execute it: systemd fails with 203/EXEC`
        const remedy = `Make it executable: chmod +x ${file.source}, or give it a mode such as "0755" in service.yaml.`
        return [invalid(message, { file: source, line }, { service: service.name, remedy })]
      }),
    ),
  )
}

/** An empty drop-in is in order: it takes the place of a package's. */
export function emptyUnits(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): readonly Problem[] {
  return services.flatMap(({ service, files }) =>
    files.flatMap(({ source }) => {
      if (texts.get(source) !== '' || !/^services\/[^/]+\/units\/[^/]+$/.test(source)) return []
      const unit = source.slice(source.lastIndexOf('/') + 1)
      const message = 'is empty, and systemd takes an empty unit file for a mask'
      const remedy = `Write the unit, or take the file out and say in service.yaml: units: { ${unit}: { masked: true } }`
      return [invalid(message, { file: source }, { service: service.name, remedy })]
    }),
  )
}

/** Unit files and drop-ins of the system and of users. */
export function isUnit({ target }: ManagedFile): boolean {
  return /^\/(?:etc|run|(?:usr\/(?:local\/)?)?lib)\/systemd\/(?:system|user)\/[^/]+(?:\/[^/]+\.conf)?$/.test(target)
}

function isExecutable({ executable, settings, source }: Extract<ManagedFile, { kind: 'file' }>): boolean {
  if (settings.mode !== undefined) return (settings.mode & 0o111) !== 0
  return executable && !/^services\/[^/]+\/units\//.test(source)
}

type Command = { readonly line: number; readonly key: string; readonly program: string }

function commandsIn(text: string): readonly Command[] {
  return text.split('\n').flatMap((line, index) => {
    const [, key, quoted, plain] = /^(Exec[A-Z][A-Za-z]*)\s*=\s*[@:+!|-]*(?:"([^"]+)"|(\/\S+))/.exec(line) ?? []
    const program = quoted ?? plain
    return key === undefined || program === undefined ? [] : [{ line: index + 1, key, program }]
  })
}
