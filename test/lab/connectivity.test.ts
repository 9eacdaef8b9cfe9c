// Three commits that cut a host off - its route, its names, its firewall - are each undone by the host itself, also when it is
// switched off before that.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import type { Revision } from '../../shared/names.ts'
import { type FollowedHost, followedHost, serviceIn } from './followed-host.ts'
import { type NameServer, startNameServer } from './name-server.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`hosts that cut themselves off cannot be shown here: ${reason}`)

const remoteName = 'git.plumb.test'
const guardSeconds = 8
// A question that is lost is asked again well within the guard's time.
const patience = 'options timeout:1 attempts:3\n'

describe.skipIf(reason !== null)('a host whose every way out is its repository', () => {
  let lab: Lab
  let followed: FollowedHost
  let names: NameServer
  let good: Revision

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, 'edge-1')
    names = await startNameServer(remoteName)
    good = await followed.commit(files())
    // From here on the repository says it.
    await followed.host.write('/etc/resolv.conf', `nameserver ${names.address}\n${patience}`)
    await followed.install({ remoteName })
  })

  afterAll(async () => {
    await followed?.close()
    await names?.close()
    lab?.close()
  })

  test.each<readonly [string, Said]>([
    ['the address and with it the default route', { network: elsewhere }],
    ['the name server', { resolv: 'nameserver 192.0.2.53\noptions timeout:1 attempts:1\n' }],
    ['every packet', { firewall: firewall('drop') }],
  ])('a commit that takes away %s is undone by the host itself, and told once it is back', async (what, said) => {
    followed.tellMoreOnFailure()
    const commit = files(said)
    const revision = await followed.commit({ ...commit, 'services/network/files/etc/motd': `${what}\n` })
    const report = await followed.reportWith(({ services }) =>
      services.some(({ failure }) => failure?.revision === revision),
    )
    expect(serviceIn(report, 'network')).toMatchObject({
      applied: good,
      failure: { step: 'stay in contact', problem: { code: 'contact-lost' } },
      findings: [],
    })
    await isReached()
    expect(await followed.host.read('/etc/motd')).toBe('as it should be\n')
    expect(report.problems).toEqual([])
    good = await followed.commit(files())
    await followed.inSyncAt(good)
  })

  test('a host that is switched off while its guard waits undoes it after the next boot, before it has a network', async () => {
    followed.tellMoreOnFailure()
    const revision = await followed.commit(files({ network: elsewhere }))
    await eventually('the guard waits', async () => {
      const { code } = await followed.host.exec(['grep', '--quiet', '"committed"', '/var/lib/plumb/journal'])
      return code === 0 ? true : undefined
    })
    expect(await followed.host.output(['ip', 'route'])).not.toContain('default')
    followed.host.powerOff()
    await followed.host.boot({ network: false })
    expect(await followed.host.read('/etc/systemd/network/10-host0.network')).toContain('192.0.2.9')
    const report = await followed.reportWith(({ services }) =>
      services.some(({ failure }) => failure?.revision === revision),
    )
    expect(serviceIn(report, 'network')).toMatchObject({
      applied: good,
      failure: { problem: { code: 'contact-lost' } },
    })
    await isReached()
    good = await followed.commit(files())
    await followed.inSyncAt(good)
  })

  test('a commit that moves the host and keeps it reached stays', async () => {
    followed.tellMoreOnFailure()
    const revision = await followed.commit(files({ firewall: firewall('accept', '# others') }))
    await followed.inSyncAt(revision)
    expect(await followed.host.output(['nft', 'list', 'ruleset'])).toContain('policy accept')
  })

  function files({ network = networkFile(), resolv, firewall: rules = firewall('accept') }: Said = {}) {
    return {
      'plumb.yaml': `version: 1
hosts: { edge-1: { services: [network] } }
defaults: { syncEvery: 1s, checkEvery: 5s, connectivityGuard: ${guardSeconds}s }
`,
      'services/network/README.md': 'How this host is reached.\n',
      'services/network/service.yaml': `settle: 0s
packages: [nftables]
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
      'services/network/files/etc/resolv.conf': resolv ?? `nameserver ${machineAddress}\n${patience}`,
      'services/network/files/etc/nftables.conf': rules,
      'services/network/files/etc/motd': 'as it should be\n',
    }
  }

  function networkFile(): string {
    return `[Match]
Name=host0

[Network]
Address=${followed.host.address}/24
Gateway=${machineAddress}
LinkLocalAddressing=no
IPv6AcceptRA=no
ConfigureWithoutCarrier=yes
IgnoreCarrierLoss=yes
`
  }

  async function isReached(): Promise<void> {
    await followed.host.output([
      'curl',
      '--silent',
      '--show-error',
      '--max-time',
      '10',
      `http://${remoteName}:${followed.served.port}/`,
    ])
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
