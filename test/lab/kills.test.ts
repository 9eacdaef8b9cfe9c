// The fault suite's kills on a real host: its systemd, apt, dpkg and docker, and the agent that is killed among them.
// A kill leaves a host in a state of its own; the next apply starts from there, towards the other revision.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { z } from 'zod'
import { bundleOf } from '../../scripts/build-bundle.ts'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { Budget, noLimit } from '../support/budget.ts'
import { importImages } from './compose-host.ts'
import { type KillRevision, packagesScript, seenScript } from './kill-fleet.ts'

const kills = 25
const leastKills = 5
const services = ['base', 'web', 'app', 'gone', 'fresh'] as const
const ways = ['before', 'after', 'together'] as const

type Seen = Readonly<Record<string, readonly string[]>>

describe.skipIf(labUnavailable() !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let host: LabHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    host = await lab.host('kills', 'trixie-docker')
    await copyAgent(host)
    await host.write('/root/seen.sh', seenScript)
    await host.write('/root/packages.sh', packagesScript)
    await Promise.all([host.output(['sh', '/root/packages.sh']), importImages(host, 'docker')])
  })
  afterAll(() => lab?.close())

  test('killed in applies that touch everything, every service is entirely old or entirely new', {
    timeout: noLimit,
  }, async () => {
    const well = (told: Told) => expect(told.problems).toEqual([])
    well(await applied(host, 1))
    const first = await seenOn(host)
    const { operations = 0, ...second } = await applied(host, 2)
    well(second)
    const at: Readonly<Record<KillRevision, Seen>> = { 1: first, 2: await seenOn(host) }
    const budget = new Budget({ seconds: 90, least: leastKills })
    const found = { old: 0, new: 0 }
    const isOver = () => budget.done >= kills || (budget.isOver() && found.old > 0 && found.new > 0)
    let before = at[2]
    onTestFailed(() => console.log(budget.text(kills, 'kills'), JSON.stringify(found)))
    for (let number = 0; !isOver() && number < 2 * kills; number += 1) {
      const revision = number % 2 === 0 ? 1 : 2
      // The golden ratio strews the places evenly. An apply that has less to do may end before its place: that is no kill.
      const place = 1 + Math.floor(((number * 0.618034) % 1) * operations)
      const killed = await applied(host, revision, { at: place, how: ways[number % ways.length] ?? 'before' })
      const recovery = await told(host, ['recover'])
      const after = await seenOn(host)
      expect({ killed, problems: recovery.problems, left: after['left'] ?? [] }).toMatchObject({
        problems: [],
        left: [],
      })
      for (const name of services) {
        if (same(before[name], at[revision][name]) && same(after[name], before[name])) continue
        const isNew = same(after[name], at[revision][name])
        const isOld = same(after[name], before[name])
        if (!isNew && !isOld)
          expect({ killed, name, after: after[name] }).toEqual({
            killed,
            name,
            after: before[name],
            or: at[revision][name],
          })
        found[isNew ? 'new' : 'old'] += 1
      }
      if (killed.killed !== undefined) budget.done += 1
      before = after
    }
    well(await applied(host, 2))
    expect(await seenOn(host)).toEqual(at[2])
    console.log(`${budget.text(kills, 'kills')} on a real host: ${found.old} services were old, ${found.new} new`)
    expect(budget.done).toBeGreaterThanOrEqual(leastKills)
    expect(found.old).toBeGreaterThan(0)
    expect(found.new).toBeGreaterThan(0)
  })
})

const toldSchema = z.looseObject({
  problems: z.array(z.string()).default([]),
  operations: z.number().optional(),
  killed: z.object({ name: z.string(), where: z.string() }).optional(),
})

type Told = z.infer<typeof toldSchema>
type Kill = { readonly at: number; readonly how: string }

function applied(host: LabHost, revision: KillRevision, kill?: Kill): Promise<Told> {
  const env = kill === undefined ? [] : [`PLUMB_KILL_AT=${kill.at}`, `PLUMB_KILL_HOW=${kill.how}`]
  return told(host, [String(revision)], env)
}

/** What a killed agent had started is waited for. */
async function told(host: LabHost, args: readonly string[], env: readonly string[] = []): Promise<Told> {
  const { stdout, stderr } = await host.exec(['env', ...env, 'sh', '/root/agent.sh', ...args], { timeoutMs: 600_000 })
  const last = stdout.trim().split('\n').at(-1) ?? ''
  if (!last.startsWith('{')) throw new Error(`the agent told nothing:\n${stdout}${stderr}`)
  return toldSchema.parse(JSON.parse(last))
}

async function seenOn(host: LabHost): Promise<Seen> {
  const lines = (await host.output(['sh', '/root/seen.sh'])).trim().split('\n')
  const groups = Map.groupBy(lines, (line) => line.split(' ')[0] ?? '')
  return Object.fromEntries(groups)
}

function same(one: readonly string[] = [], other: readonly string[] = []): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** With this machine's Node, and the library that it is linked with. */
async function copyAgent(host: LabHost): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-kills-'))
  try {
    for (const [name, entry] of Object.entries({ agent: 'kill-agent.ts', 'kill-at': '../faults/kill-at.ts' })) {
      writeFileSync(join(directory, name), await bundleOf(join(import.meta.dirname, entry)))
      await host.copyIn(join(directory, name), `/root/${name}.cjs`)
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  await host.copyIn(process.execPath, '/root/node', '0755')
  const atomic = /=> (\/\S*libatomic\.so\S*)/.exec(execFileSync('ldd', [process.execPath], { encoding: 'utf8' }))?.[1]
  if (atomic !== undefined) await host.copyIn(atomic, '/usr/local/lib/libatomic.so.1')
  await host.write('/root/agent.sh', agentScript)
}

const agentScript = `
export LD_LIBRARY_PATH=/usr/local/lib PLUMB_PAUSES=kept
/root/node --require /root/kill-at.cjs /root/agent.cjs "$@" > /run/told
cat /run/told
for pid in $(sed -n 's/.*"left":\\[\\([0-9,]*\\)\\].*/\\1/p' /run/told | tr , ' '); do
  while [ -d /proc/$pid ]; do sleep 0.02; done
done
`
