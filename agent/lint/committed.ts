// What a commit would make of files that were just written: git may ignore them, convert their line endings and encoding, or leave
// out that they are executable.

import type { Run } from '../../shared/command.ts'
import type { Problem } from '../../shared/problem.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import { readCandidate } from './candidate.ts'

/** By path in the work tree. */
export type Written = ReadonlyMap<string, WrittenFile>

type WrittenFile =
  | { readonly kind: 'file'; readonly content: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'symlink' }

export async function changedByCommit(workTree: string, written: Written, run: Run): Promise<readonly Problem[]> {
  const candidate = await readCandidate(workTree, run)
  try {
    const entries = new Map((await candidate.reader.entries()).map((entry) => [entry.path, entry]))
    const problems: Problem[] = []
    for (const [path, file] of written) {
      const entry = entries.get(path)
      if (entry === undefined) problems.push(invalid(ignored, { file: path }, { remedy: exception(path) }))
      else if (kindOf(file) !== entry.kind)
        problems.push(
          invalid(otherMode, { file: path }, { remedy: `Say it to git: git update-index --add --chmod=+x ${path}` }),
        )
      else if (file.kind === 'file' && !Buffer.from(file.content).equals(await candidate.reader.read(entry.oid)))
        problems.push(invalid(converted, { file: path }, { remedy: `Say in .gitattributes: ${path} -text` }))
    }
    return problems
  } finally {
    await candidate.close()
  }
}

function kindOf(file: WrittenFile): TreeEntry['kind'] {
  return file.kind === 'file' && file.executable ? 'executable' : file.kind
}

const ignored = 'would not be committed, because git ignores it: no host would get it'
const converted =
  'would be committed with other content than this host has: .gitattributes or core.autocrlf converts it'
const otherMode = 'would be committed without permission to execute it: core.fileMode is false here'

function exception(file: string): string {
  return `Add an exception to .gitignore (!/${file}), or add it by hand: git add --force ${file}`
}
