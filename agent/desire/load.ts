// A revision's objects -> the parsed repository.
import { type ParsedRepository, parseRepository } from '../../shared/repository/parse.ts'
import { isParsed } from '../../shared/repository/tree.ts'
import type { RevisionReader } from '../sync/revision.ts'

export async function loadRepository(reader: RevisionReader): Promise<ParsedRepository> {
  const entries = await reader.entries()
  const parsed = entries.filter((entry) => entry.kind !== 'submodule' && isParsed(entry))
  const contents = await reader.readMany(parsed.map(({ oid }) => oid))
  const decoder = new TextDecoder()
  const texts = new Map(parsed.map(({ path }, index) => [path, decoder.decode(contents[index])]))
  return parseRepository({ entries, texts })
}
