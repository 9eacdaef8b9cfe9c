// examples/fleet as a repository that tests commit to.
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { makeRepository, type TestFile, type TestRepository } from '../support/git.ts'

const example = join(import.meta.dirname, '../../examples/fleet')

/** `change` is made to plumb.yaml before the first commit. Nothing settles: that is shown in apply.test.ts. */
export async function exampleFleet(change: (fleet: string) => string = (fleet) => fleet): Promise<TestRepository> {
  const entries = await readdir(example, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files = new Map(
    await Promise.all(paths.map(async (path) => [relative(example, path), await testFile(path)] as const)),
  )
  const fleet = await readFile(join(example, 'plumb.yaml'), 'utf8')
  const unsettled = await Promise.all(
    paths
      .filter((path) => basename(path) === 'service.yaml')
      .map(async (path) => {
        return [relative(example, path), `${await readFile(path, 'utf8')}settle: 0s\n`] as const
      }),
  )
  const changed = { ...Object.fromEntries(unsettled), 'plumb.yaml': change(fleet) }
  return await makeRepository({ ...Object.fromEntries(files), ...changed }, { at: now() })
}

/** A fixed date could lie after the machine's. */
export function now(): string {
  return new Date().toISOString()
}

/** `edited(text, from, to)`, and an error when there is nothing to edit: the example may have changed. */
export function edited(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`examples/fleet does not hold ${JSON.stringify(from)} any more`)
  return text.replace(from, to)
}

async function testFile(path: string): Promise<TestFile> {
  const text = await readFile(path, 'utf8')
  const { mode } = await stat(path)
  return (mode & 0o111) === 0 ? text : { executable: text }
}
