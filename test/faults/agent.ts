// An agent that has its revision: it syncs nothing and has no secrets.
import type { Agent } from '../../agent/inspect.ts'
import { hostNameSchema } from '../../shared/names.ts'

export function agentWithRevision(parts: Pick<Agent, 'host' | 'state'> & Partial<Agent>): Agent {
  const never = () => Promise.reject(new Error('this agent has its revision'))
  return {
    name: hostNameSchema.parse('web-1'),
    repository: { sync: never, accept: never, lastGood: never, readerAt: never },
    secretsDirectory: '/nonexistent',
    contacts: [],
    ...parts,
  }
}
