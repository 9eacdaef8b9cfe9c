// Reads a bare repository on this host by the system's git.
import { revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { CatFile, ObjectTooLarge } from './cat-file.ts'
import { entriesBelow, tooManyFiles } from './entries.ts'
import { corrupt } from './reasons.ts'
import { type SystemGit, saidInOneLine } from './system-settings.ts'
import type { Objects } from './transport.ts'

export function createSystemObjects(git: SystemGit, gitDirectory: string): Objects {
  const here = `--git-dir=${gitDirectory}`
  const files = new CatFile({ command: git.command([here, 'cat-file', '--batch']) })
  const readTree = (oid: string) => files.read(oid, 'tree').catch(largeTree)
  const damaged = (error: unknown): never => {
    if (error instanceof PlumbError) throw error
    throw corrupt(gitDirectory, error instanceof Error ? error.message : String(error), error)
  }
  const objects: Objects = {
    hasCommit: async (revision) => {
      const found = await files.find(revision, 'commit').catch(damaged)
      return found !== undefined
    },
    descends: async (revision, ancestor) => {
      if (revision === ancestor) return true
      if (!(await objects.hasCommit(ancestor))) return false
      const answer = await git.run([here, 'merge-base', '--is-ancestor', '--', ancestor, revision])
      if (answer.code === 0 || answer.code === 1) return answer.code === 0
      throw corrupt(gitDirectory, saidInOneLine(answer.stderr))
    },
    resolve: async (name) => {
      if (!isPlainName(name)) return undefined
      const answer = await git.run([here, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`])
      const revision = revisionSchema.safeParse(answer.stdout.trim())
      return answer.code === 0 && revision.success ? revision.data : undefined
    },
    entries: async (revision) => {
      try {
        return await entriesBelow(treeOf(await files.read(revision, 'commit')), { readTree, atOnce: 8 })
      } catch (error) {
        return damaged(error)
      }
    },
    sizes: async (oids) => {
      if (oids.length === 0) return []
      const stdin = oids.map((oid) => `${oid}\n`).join('')
      const args = [here, 'cat-file', '--batch-check=%(objectsize)', '--buffer']
      const answer = await git.run(args, { stdin, outputLimitBytes: 8 * stdin.length })
      const sizes = answer.stdout.trimEnd().split('\n').map(Number)
      if (answer.code === 0 && sizes.length === oids.length && !sizes.some(Number.isNaN)) return sizes
      throw corrupt(gitDirectory, saidInOneLine(answer.stderr || 'the size of an object is not known'))
    },
    readMany: (oids) => Promise.all(oids.map((oid) => files.read(oid))).catch(damaged),
  }
  return objects
}

function largeTree(error: unknown): never {
  throw error instanceof ObjectTooLarge ? tooManyFiles() : error
}

/** Rejects git's revision syntax such as `a..b`, `:/text` or `@{u}`. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_./+-]*$/.test(name) && !name.includes('..')
}

function treeOf(commit: Uint8Array): string {
  const tree = /^tree ([0-9a-f]{40})\n/.exec(Buffer.from(commit.subarray(0, 60)).toString('latin1'))?.[1]
  if (tree === undefined) throw new Error('a commit object is malformed')
  return tree
}
