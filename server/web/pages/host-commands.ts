// Commands for a host, as they are typed in a shell there: by root, or in a sandbox with its directories.
import { commandText } from '../../../shared/ways-out-text.ts'
import type { Sandbox } from '../../settings.ts'

/** One after the other. */
export function commandsOnHost(commands: readonly (readonly string[])[], sandbox: Sandbox | undefined): string {
  return commands.map((words) => commandOnHost(words, sandbox)).join('\n')
}

function commandOnHost(words: readonly string[], sandbox: Sandbox | undefined): string {
  if (sandbox === undefined) return `sudo ${commandText(words)}`
  const [, verb = '', ...others] = words
  const { plumb, root, state, remote } = sandbox
  const pushed = verb === 'adopt' ? ['--remote', remote] : []
  return commandText([plumb, verb, ...others, ...pushed, '--root', root, '--state', state])
}
