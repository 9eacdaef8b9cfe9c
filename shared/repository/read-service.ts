// The text of one service.yaml -> settings and problems. Texts that were read before are not parsed again: of a hundred
// services a commit changes one, and parsing them all costs more than everything else in a revision.
import type { Place, Problem } from '../problem.ts'
import { defaultServiceFile, type ServiceFile, serviceSchema, serviceYamlLimits } from './service.ts'
import { validated } from './validate.ts'
import { type KeyPath, readYaml, type YamlFile } from './yaml.ts'

export type ReadServiceFile = {
  readonly settings: ServiceFile
  readonly problems: readonly Problem[]
  placeOf(path: KeyPath, item?: string): Place
}

export function readServiceFile(file: string, text: string): ReadServiceFile {
  const known = valid.get(text)
  // Places are needed when another file turns out not to fit; only then is the text parsed for them.
  if (known !== undefined) return { settings: known, problems: [], placeOf: (...at) => read(file, text).placeOf(...at) }
  const yaml = read(file, text)
  const { value, problems } = validated(yaml, { schema: serviceSchema })
  if (value !== undefined && problems.length === 0) remember(text, value)
  return { settings: value ?? defaultServiceFile, problems, placeOf: yaml.placeOf }
}

const rememberedTexts = 2000
const rememberedCharacters = 4000
const valid = new Map<string, ServiceFile>()

function remember(text: string, settings: ServiceFile): void {
  if (text.length > rememberedCharacters) return
  if (valid.size >= rememberedTexts) valid.clear()
  valid.set(text, settings)
}

function read(file: string, text: string): YamlFile {
  const yaml = readYaml(file, text, serviceYamlLimits)
  return yaml.value === null ? { ...yaml, value: {} } : yaml
}
