// What a check costs inside a process that is running already: the stages alone, on a revision that did not move.
import { openAgent } from '../../agent/commands/open.ts'
import { desiredAt, inspectHost, serviceReportsOf } from '../../agent/inspect.ts'
import { median } from './measure.ts'

export type Places = { readonly repository: string; readonly root: string; readonly state: string }

/** Median seconds of twenty checks. Throws when the host is not in sync: something else would be measured. */
export async function insideAgent({ repository, root, state }: Places): Promise<number> {
  const { agent } = await openAgent({ repo: repository, root, state, host: 'bench' })
  const reader = await agent.repository.sync({ allowRewind: false })
  const seconds: number[] = []
  for (let round = 0; round < 20; round += 1) {
    const start = process.hrtime.bigint()
    const look = await inspectHost(agent, await desiredAt(agent, reader), { full: false })
    const services = await serviceReportsOf(agent, look)
    seconds.push(Number(process.hrtime.bigint() - start) / 1e9)
    if (services.some(({ findings, pending }) => findings.length + pending.length > 0)) throw new Error('not in sync')
  }
  return median(seconds)
}
