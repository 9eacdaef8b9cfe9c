// A lab host that follows a repository of the test's own by itself, without a server: installed from the built executable.
import { setTimeout as pause } from 'node:timers/promises'
import { onTestFailed } from 'vitest'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import type { ImageName } from '../../scripts/lab/image.ts'
import type { Lab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import type { Revision } from '../../shared/names.ts'
import {
  makeRepository,
  type ServedRepository,
  serveRepository,
  type TestFiles,
  type TestRepository,
} from '../support/git.ts'
import { artifactsDirectory, buildArtifacts } from './agent-artifacts.ts'
import { now } from './example-fleet.ts'

export type FollowedHost = {
  readonly host: LabHost
  readonly fleet: TestRepository
  readonly served: ServedRepository
  commit(files: TestFiles): Promise<Revision>
  /** `plumb install`; after it the agent runs. Throws unless the host is then in sync. */
  install(options?: { readonly remoteName?: string }): Promise<void>
  /** The first report of the agent that is so. */
  reportWith(is: (report: AgentReport) => boolean): Promise<AgentReport>
  inSyncAt(revision: Revision): Promise<void>
  /** No look comes any more: the next one is about what happens next, not about something before it. */
  quiet(): Promise<void>
  tellMoreOnFailure(): void
  close(): Promise<void>
}

export type FollowOptions = {
  readonly image?: ImageName
  /** Follows the repository of that host. */
  readonly beside?: FollowedHost
}

export async function followedHost(
  lab: Lab,
  name: string,
  { image, beside }: FollowOptions = {},
): Promise<FollowedHost> {
  await buildArtifacts()
  const host = await lab.host(name, image)
  const fleet = beside?.fleet ?? (await makeRepository())
  const served = beside?.served ?? (await serveRepository(fleet, { address: machineAddress }))
  await host.copyIn(`${artifactsDirectory}/plumb-linux-x64`, '/root/plumb', '0755')
  const followed: FollowedHost = {
    host,
    fleet,
    served,
    commit: (files) => fleet.commit(files, { at: now() }),
    install: async ({ remoteName = machineAddress } = {}) => {
      const url = served.url.replace(machineAddress, remoteName)
      const args = ['/root/plumb', 'install', '--repo', url, '--host', name]
      const { code, stdout, stderr } = await host.exec(args, { timeoutMs: 300_000 })
      if (code !== 0) throw new Error(`${name} was not installed:\n${stdout}${stderr}`)
    },
    reportWith: async (is) =>
      await eventually(`${name} says so`, async () => {
        const { stdout } = await host.exec(['plumb', 'status', '--json'])
        const report = reportSchema.parse(JSON.parse(stdout))
        if (is(report)) return report
        throw new Error(stdout)
      }),
    inSyncAt: async (revision) => void (await followed.reportWith((report) => isInSyncAt(report, revision))),
    quiet: async () => {
      const lastReport = async () => (await followed.reportWith(() => true)).id
      for (let before = '', now = await lastReport(); before !== now; ) {
        before = now
        // Events of a busy host are gathered for up to a second.
        await pause(1200)
        now = await lastReport()
      }
    },
    tellMoreOnFailure: () => onTestFailed(async () => console.log(await host.journal('plumb', 80))),
    close: async () => {
      if (beside !== undefined) return
      await served.close()
      await fleet.remove()
    },
  }
  return followed
}

/** What a host said of one service. */
export function serviceIn({ services }: AgentReport, name: string): AgentReport['services'][number] | undefined {
  return services.find(({ service }) => service === name)
}

function isInSyncAt({ revision, services }: AgentReport, wanted: Revision): boolean {
  const isWell = ({ findings, pending, failure }: AgentReport['services'][number]) =>
    findings.length + pending.length === 0 && failure === undefined
  return revision === wanted && services.every(isWell)
}

const failureSchema = z.looseObject({
  revision: z.string(),
  step: z.string(),
  attempts: z.number(),
  problem: z.looseObject({ code: z.string(), message: z.string() }),
})

const reportSchema = z.looseObject({
  id: z.string(),
  revision: z.string().optional(),
  problems: z.array(z.unknown()),
  services: z.array(
    z.looseObject({
      service: z.string(),
      applied: z.string().optional(),
      findings: z.array(z.unknown()),
      pending: z.array(z.unknown()),
      failure: failureSchema.optional(),
    }),
  ),
})

export type AgentReport = z.infer<typeof reportSchema>
