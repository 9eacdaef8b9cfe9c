// The job the benchmarks measure: files of 5 KiB, ten in each service (a hundred where a host could not have so many services),
// as a committed repository.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const fileBytes = 5 * 1024

/** Makes the services in a new repository at `directory` and commits them; host `bench` has all of them. */
export function makeJob(directory: string, files: number): void {
  const filesPerService = files > 10_000 ? 100 : 10
  const services = Array.from({ length: files / filesPerService }, (_, index) => `service-${index}`)
  write(join(directory, 'plumb.yaml'), `version: 1\nhosts:\n  bench: { services: [${services.join(', ')}] }\n`)
  for (const service of services) {
    write(join(directory, 'services', service, 'README.md'), `# ${service}\n`)
    for (let file = 0; file < filesPerService; file += 1)
      write(join(directory, 'services', service, 'files', pathOf(service, file)), contentOf(`${service}/${file}`))
  }
  git(directory, ['init', '-q', '-b', 'main'])
  git(directory, ['add', '-A'])
  git(directory, ['-c', 'user.name=bench', '-c', 'user.email=bench@example.org', 'commit', '-q', '-m', 'The job'])
}

/** What other tools copy from: all services' files in one tree at `plain`, which is also the answer. */
export function filesBelow(repository: string, plain: string): string {
  mkdirSync(plain)
  const services = join(repository, 'services')
  for (const service of readdirSync(services)) {
    const tree = join(services, service, 'files')
    if (existsSync(tree)) cpSync(tree, plain, { recursive: true })
  }
  return plain
}

/** Below the root, without a leading slash. */
export function pathOf(service: string, file: number): string {
  return `etc/${service}/file-${file}.conf`
}

/** Text of exactly 5 KiB that differs per name and is the same in every run. */
function contentOf(name: string): string {
  let text = ''
  for (let line = 0; text.length < fileBytes; line += 1)
    text += `${createHash('sha256').update(`${name}:${line}`).digest('hex')}\n`
  return `${text.slice(0, fileBytes - 1)}\n`
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function git(directory: string, args: readonly string[]): void {
  execFileSync('git', ['-C', directory, ...args], { stdio: 'ignore' })
}
