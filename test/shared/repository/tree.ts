// A tree as parsers get it, from a map of paths to content; ids stand for content, as git's do.
import { type Problem, problemLine } from '../../../shared/problem.ts'
import { parseRepository } from '../../../shared/repository/parse.ts'
import { isParsed, type RepositoryTree, type TreeEntry } from '../../../shared/repository/tree.ts'

type Content = string | { readonly executable: string } | { readonly link: string } | 'submodule'

export function treeOf(files: Readonly<Record<string, Content>>): RepositoryTree {
  const entries = Object.entries(files).map(([path, content]) => ({ ...entryOf(path, content), text: textOf(content) }))
  const parsed = entries.filter(isParsed).map(({ path, text }): [string, string] => [path, text])
  return { entries, texts: new Map(parsed) }
}

/** A fleet with one host and the services named, each with its README. */
export function fleetOf(files: Readonly<Record<string, Content>>): RepositoryTree {
  const services = new Set(Object.keys(files).flatMap((path) => /^services\/([^/]+)\//.exec(path)?.[1] ?? []))
  const readmes = [...services].map((name): [string, string] => [`services/${name}/README.md`, `# ${name}`])
  const plumb = `version: 1\nhosts: { web-1: { services: [${[...services].join(', ')}] } }\n`
  return treeOf({ 'plumb.yaml': plumb, ...Object.fromEntries(readmes), ...files })
}

export function problemsIn(tree: RepositoryTree): readonly Problem[] {
  return parseRepository(tree).problems
}

/** As `plumb lint` prints them. */
export function linesOf(tree: RepositoryTree): readonly string[] {
  return problemsIn(tree).map(problemLine)
}

function entryOf(path: string, content: Content): TreeEntry {
  const oid = Buffer.from(textOf(content)).toString('hex').slice(0, 40).padEnd(40, '0')
  if (content === 'submodule') return { path, kind: 'submodule', oid }
  if (typeof content === 'string') return { path, kind: 'file', oid }
  return { path, kind: 'link' in content ? 'symlink' : 'executable', oid }
}

function textOf(content: Content): string {
  if (typeof content === 'string') return content
  return 'link' in content ? content.link : content.executable
}
