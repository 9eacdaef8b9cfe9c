// The same job as a CFEngine 3 policy: every file copied from the repository's work tree when its digest differs.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Arguments of a cf-agent run that makes `root` equal to `source`. */
export function cfengineArgs(directory: string, source: string, root: string): readonly [string, ...string[]] {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const policy = join(directory, 'job.cf')
  writeFileSync(policy, policyText(source, root), { mode: 0o600 })
  return ['cf-agent', '--no-lock', '--file', policy]
}

function policyText(source: string, root: string): string {
  return `body common control { bundlesequence => { "job" }; }
bundle agent job
{
  files:
    "${root}/."
      create => "true",
      copy_from => by_digest("${source}"),
      depth_search => all;
}
body copy_from by_digest(from)
{
  source => "$(from)";
  compare => "digest";
}
body depth_search all { depth => "inf"; }
`
}
