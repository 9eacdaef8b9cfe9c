// Commands for a host, as they are typed in a shell there: by root, or in a sandbox with its directories.
import { createContext, useContext } from 'hono/jsx'
import type { Commands } from '../../../../shared/ways-out.ts'
import { commandText } from '../../../../shared/ways-out-text.ts'
import type { Sandbox } from '../../../settings.ts'

/** Hosts that are directories of this server's machine; each page provides them. */
export const Sandboxes = createContext<ReadonlyMap<string, Sandbox>>(new Map())

export function useSandbox(host: string | undefined): Sandbox | undefined {
  const sandboxes = useContext(Sandboxes)
  return host === undefined ? undefined : sandboxes.get(host)
}

/** A line for each. */
export function commandsOnHost(commands: Commands, sandbox: Sandbox | undefined): readonly string[] {
  return commands.map((words) => commandOnHost(words, sandbox))
}

function commandOnHost(words: readonly string[], sandbox: Sandbox | undefined): string {
  if (sandbox === undefined) return `sudo ${commandText(words)}`
  const [, verb = '', ...others] = words
  const { plumb, root, state, remote } = sandbox
  const pushed = verb === 'adopt' ? ['--remote', remote] : []
  return commandText([plumb, verb, ...others, ...pushed, '--root', root, '--state', state])
}
