// What a person would look at on a host, and from outside of it.
import type { LabHost } from '../../scripts/lab/host.ts'
import { eventually, generousMs } from '../../scripts/lab/waiting.ts'

/** `enabled active`, `static inactive`. */
export async function unitState(host: LabHost, unit: string): Promise<string> {
  const property = async (name: string) => (await host.output(['systemctl', 'show', '-P', name, unit])).trim()
  return `${await property('UnitFileState')} ${await property('ActiveState')}`
}

export async function mainPid(host: LabHost, unit: string): Promise<number> {
  return Number(await host.output(['systemctl', 'show', '-P', 'MainPID', unit]))
}

/** The answer to a request over the network, once there is a good one. */
export async function answerOf(host: LabHost, path: string, withinMs = generousMs): Promise<string> {
  const url = `http://${host.address}${path}`
  return await eventually(
    `${host.name} answers ${url}`,
    async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) })
      const text = await response.text()
      if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 200)}`)
      return text
    },
    { withinMs },
  )
}

export async function has(host: LabHost, program: string): Promise<boolean> {
  return (await host.exec(['sh', '-c', 'command -v "$1"', 'sh', program])).code === 0
}

/** Content, mode and owner of everything below these directories, and the pids of these units. */
export async function traceOf(
  host: LabHost,
  directories: readonly string[],
  units: readonly string[],
): Promise<string> {
  const find = ['find', ...directories, '-xdev'] as const
  const entries = await host.output([...find, '-printf', '%p %y %m %u:%g %l\\n'])
  const sums = await host.output([...find, '-type', 'f', '-exec', 'sha256sum', '{}', '+'])
  const pids = await Promise.all(units.map(async (unit) => `${unit} ${await mainPid(host, unit)}`))
  return [...`${entries}${sums}`.trim().split('\n').sort(), ...pids].join('\n')
}

/** What is asked for until it is so; the error at the deadline says what was seen last. */
export async function until<T>(
  what: string,
  look: () => Promise<T> | T,
  isSo: (seen: T) => boolean,
  withinMs = generousMs,
): Promise<T> {
  return await eventually(
    what,
    async () => {
      const seen = await look()
      if (isSo(seen)) return seen
      throw new Error(typeof seen === 'string' ? seen : JSON.stringify(seen))
    },
    { withinMs },
  )
}
