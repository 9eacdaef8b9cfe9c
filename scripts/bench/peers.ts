// The same tree as puppet's and aide's own: arguments of a run that compares every file's digest and changes nothing.
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Args = readonly [string, ...string[]]

/** One recursive file resource with a digest: `root` must equal `source`. */
export function puppetArgs(directory: string, source: string, root: string): Args {
  mkdirSync(directory, { recursive: true })
  const manifest = join(directory, 'job.pp')
  writeFileSync(
    manifest,
    `file { '${root}': ensure => directory, recurse => true, source => 'file://${source}', checksum => sha256, max_files => -1 }\n`,
  )
  const places = ['--confdir', join(directory, 'conf'), '--vardir', join(directory, 'var')]
  return ['puppet', 'apply', '--noop', '--color=false', '--logdest', join(directory, 'log'), ...places, manifest]
}

/** Makes aide's database of `root` first. */
export function aideArgs(directory: string, root: string): Args {
  mkdirSync(directory, { recursive: true })
  const configuration = join(directory, 'aide.conf')
  const database = join(directory, 'aide.db')
  writeFileSync(
    configuration,
    `database_in=file:${database}
database_out=file:${database}.new
gzip_dbout=no
report_url=stdout
Content = p+u+g+s+sha256
${root} Content
`,
  )
  execFileSync('aide', ['--config', configuration, '--init'], { stdio: 'ignore' })
  renameSync(`${database}.new`, database)
  return ['aide', '--config', configuration, '--check']
}
