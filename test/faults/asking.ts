// In the agent under test: what fake programs would answer is asked of the suite, over the channel that Node keeps to whoever
// started a process. Counted like the start of the program, which takes its place where the agent is to be killed at it.
import type { Command, CommandResult, Run } from '../../shared/command.ts'
import { type Answer, fakePrograms } from './fakes/fake-host.ts'
import { operationsHere } from './operations.ts'

export type Question = { readonly question: number; readonly args: readonly string[]; readonly stdin: string }
export type Reply = { readonly question: number; readonly answer: Answer }

const killAt = Number(process.env['PLUMB_KILL_AT'] ?? 0)
const waiting = new Map<number, (result: CommandResult) => void>()
let asked = 0
process.on('message', ({ question, answer }: Reply) => {
  waiting.get(question)?.(answer)
  waiting.delete(question)
})

/** `programs` runs everything else. */
export function askingRun(programs: Run): Run {
  return (command) => {
    const isKilledAtIt = operationsHere().length + 1 === killAt
    if (isKilledAtIt || !Object.hasOwn(fakePrograms, command.args[0] ?? '')) return programs(command)
    operationsHere().push({ name: 'spawn', where: command.args.join(' ') })
    return ask(command)
  }
}

function ask({ args, stdin = '' }: Command): Promise<CommandResult> {
  asked += 1
  const question = asked
  const text = typeof stdin === 'string' ? stdin : Buffer.from(stdin).toString('utf8')
  return new Promise((resolve) => {
    waiting.set(question, resolve)
    process.send?.({ question, args, stdin: text } satisfies Question)
  })
}
