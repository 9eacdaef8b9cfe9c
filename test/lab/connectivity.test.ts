// Three commits that cut a host off - its route, its names, its firewall - are each undone by the host itself, also when it is
// switched off before that.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import { makeRepository, type ServedRepository, serveRepository, type TestRepository } from '../support/git.ts'
import { artifactsDirectory, buildArtifacts } from './agent-artifacts.ts'
import { now } from './example-fleet.ts'
import { type NameServer, startNameServer } from './name-server.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`hosts that cut themselves off cannot be shown here: ${reason}`)

const remoteName = 'git.plumb.test'
const guardSeconds = 6

describe.skipIf(reason !== null)('a host whose every way out is its repository', () => {
  let lab: Lab
  let host: LabHost
  let fleet: TestRepository
  let names: NameServer
  let served: ServedRepository
  let good: string

  beforeAll(async () => {
    await buildArtifacts()
    lab = openLab({ say: console.log })
    host = await lab.host('edge-1')
    names = await startNameServer(remoteName)
    fleet = await makeRepository(files(), { at: now() })
    served = await serveRepository(fleet, { address: machineAddress })
    await host.copyIn(`${artifactsDirectory}/plumb-linux-x64`, '/root/plumb', '0755')
    // As an installer that knows only the address would leave it: from here on the repository says it.
    await host.write('/etc/resolv.conf', `nameserver ${names.address}\n`)
    const url = served.url.replace(machineAddress, remoteName)
    const installed = await host.exec(['/root/plumb', 'install', '--repo', url, '--host', 'edge-1'], {
      timeoutMs: 300_000,
    })
    expect(`${installed.stdout}${installed.stderr}`).toContain('in plumb')
    good = await fleet.head()
  })

  afterAll(async () => {
    await served?.close()
    await names?.close()
    lab?.close()
    await fleet?.remove()
  })

  test.each<readonly [string, Said]>([
    ['the address and with it the default route', { network: elsewhere }],
    ['the name server', { resolv: 'nameserver 192.0.2.53\noptions timeout:1 attempts:1\n' }],
    ['every packet', { firewall: firewall('drop') }],
  ])('a commit that takes away %s is undone by the host itself, and told once it is back', async (what, said) => {
    tellMoreOnFailure()
    const commit = files(said)
    const revision = await fleet.commit({ ...commit, 'services/network/files/etc/motd': `${what}\n` }, { at: now() })
    const report = await reportWith(({ services }) => services.some(({ failure }) => failure?.revision === revision))
    const network = report.services.find(({ service }) => service === 'network')
    expect(network).toMatchObject({
      applied: good,
      failure: { step: 'stay in contact', problem: { code: 'contact-lost' } },
      findings: [],
    })
    await isReached()
    expect(await host.read('/etc/motd')).toBe('as it should be\n')
    expect(report.problems).toEqual([])
    good = await fleet.commit(files(), { at: now() })
    await inPlumbAt(good)
  })

  test('a host that is switched off while its guard waits undoes it after the next boot, before it has a network', async () => {
    tellMoreOnFailure()
    const revision = await fleet.commit(files({ network: elsewhere }), { at: now() })
    await eventually('the route is gone', async () => {
      const routes = await host.output(['ip', 'route'])
      return routes.includes('default') ? undefined : true
    })
    host.powerOff()
    await host.boot({ network: false })
    expect(await host.read('/etc/systemd/network/10-host0.network')).toContain('192.0.2.9')
    const report = await reportWith(({ services }) => services.some(({ failure }) => failure?.revision === revision))
    expect(report.services.find(({ service }) => service === 'network')).toMatchObject({
      applied: good,
      failure: { problem: { code: 'contact-lost' } },
    })
    await isReached()
    good = await fleet.commit(files(), { at: now() })
    await inPlumbAt(good)
  })

  test('a commit that moves the host and keeps it reached stays', async () => {
    tellMoreOnFailure()
    const revision = await fleet.commit(files({ firewall: firewall('accept', '# others') }), { at: now() })
    await inPlumbAt(revision)
    expect(await host.output(['nft', 'list', 'ruleset'])).toContain('policy accept')
  })

  function files({ network = networkFile(), resolv, firewall: rules = firewall('accept') }: Said = {}) {
    return {
      'plumb.yaml': `version: 1
hosts: { edge-1: { services: [network] } }
defaults: { syncEvery: 1s, checkEvery: 5s, connectivityGuard: ${guardSeconds}s }
`,
      'services/network/README.md': 'How this host is reached.\n',
      'services/network/service.yaml': `packages: [nftables]
files:
  /etc/systemd/network/10-host0.network:
    triggers: [run networkctl reload && networkctl reconfigure host0]
  /etc/nftables.conf:
    validate: nft --check --file {}
    triggers: [restart nftables.service]
units:
  nftables.service: { enabled: true, state: running }
`,
      'services/network/files/etc/systemd/network/10-host0.network': network,
      'services/network/files/etc/resolv.conf': resolv ?? `nameserver ${machineAddress}\n`,
      'services/network/files/etc/nftables.conf': rules,
      'services/network/files/etc/motd': 'as it should be\n',
    }
  }

  function networkFile(): string {
    return `[Match]
Name=host0

[Network]
Address=${host.address}/24
Gateway=${machineAddress}
LinkLocalAddressing=no
IPv6AcceptRA=no
ConfigureWithoutCarrier=yes
IgnoreCarrierLoss=yes
`
  }

  async function isReached(): Promise<void> {
    await host.output(['curl', '--silent', '--show-error', '--max-time', '10', `http://${remoteName}:${served.port}/`])
  }

  async function reportWith(is: (report: Report) => boolean): Promise<Report> {
    return await eventually('the host says so', async () => {
      const { stdout } = await host.exec(['plumb', 'status', '--json'])
      const report = reportSchema.parse(JSON.parse(stdout))
      return is(report) ? report : undefined
    })
  }

  async function inPlumbAt(revision: string): Promise<void> {
    await reportWith(
      ({ revision: at, services }) =>
        at === revision &&
        services.every(
          ({ findings, pending, failure }) => findings.length + pending.length === 0 && failure === undefined,
        ),
    )
  }

  function tellMoreOnFailure(): void {
    onTestFailed(async () => console.log(await host.journal('plumb', 80)))
  }
})

type Said = { readonly network?: string; readonly resolv?: string; readonly firewall?: string }

const elsewhere = `[Match]
Name=host0

[Network]
Address=192.0.2.9/24
ConfigureWithoutCarrier=yes
`

function firewall(policy: 'accept' | 'drop', comment = ''): string {
  const chain = (hook: string) => `  chain ${hook} { type filter hook ${hook} priority 0; policy ${policy}; }\n`
  return `#!/usr/sbin/nft -f\n${comment}\nflush ruleset\ntable inet filter {\n${['input', 'forward', 'output'].map(chain).join('')}}\n`
}

const reportSchema = z.looseObject({
  revision: z.string().optional(),
  problems: z.array(z.unknown()),
  services: z.array(
    z.looseObject({
      service: z.string(),
      applied: z.string().optional(),
      findings: z.array(z.unknown()),
      pending: z.array(z.unknown()),
      failure: z
        .looseObject({ revision: z.string(), step: z.string(), problem: z.looseObject({ code: z.string() }) })
        .optional(),
    }),
  ),
})
type Report = z.infer<typeof reportSchema>
