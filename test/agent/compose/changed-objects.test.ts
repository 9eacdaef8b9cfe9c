// Networks and volumes that exist with other settings than the compose file gives them. What the engine prints is of docker 26.
import { describe, expect, test } from 'vitest'
import { declaredObjects, existingObjects } from '../../../agent/host/engine-objects.ts'
import { objectRefusal } from '../../../agent/resources/changed-objects.ts'
import type { Run } from '../../../shared/command.ts'
import { absolutePathSchema, resourceId, sha256Schema } from '../../../shared/names.ts'
import type { ComposeResource } from '../../../shared/resource.ts'

const network = {
  Name: 'app_a',
  Driver: 'bridge',
  EnableIPv6: false,
  Internal: false,
  IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: '10.99.1.0/24', Gateway: '10.99.1.1' }] },
  Options: { 'com.docker.network.driver.mtu': '1450' },
}
const volume = { Name: 'app_db', Driver: 'local', Options: { type: 'nfs', o: 'addr=10.0.0.1', device: ':/db' } }

describe('as declared', () => {
  test.each<[string, object]>([
    ['nothing is said', { networks: { a: { name: 'app_a', ipam: {} } }, volumes: { db: { name: 'app_db' } } }],
    ['the same', { networks: { a: { name: 'app_a', ipam: { config: [{ subnet: '10.99.1.0/24' }] } } } }],
    ['an address of it', { networks: { a: { name: 'app_a', ipam: { config: [{ subnet: '10.99.1.9/24' }] } } } }],
    ['an option', { networks: { a: { name: 'app_a', driver_opts: { 'com.docker.network.driver.mtu': 1450 } } } }],
    ['IPv6 pools', { networks: { a: { name: 'app_a', ipam: { config: [{ subnet: 'fd00:0::/64' }] } } } }],
    ['not there yet', { networks: { b: { name: 'app_b', internal: true } }, volumes: { c: { name: 'app_c' } } }],
    ['of others', { networks: { a: { name: 'app_a', external: true, internal: true } } }],
    ['no map', { networks: { default: null }, volumes: { db: null } }],
  ])('%s', async (_, model) => {
    expect(await refusalOf(model)).toBeUndefined()
  })
})

describe('other settings', () => {
  test.each<[string, object, string]>([
    [
      'subnet',
      { networks: { a: { name: 'app_a', ipam: { config: [{ subnet: '10.99.2.0/24' }] } } } },
      'the network app_a has subnet 10.99.1.0/24 instead of 10.99.2.0/24',
    ],
    [
      'a longer prefix',
      { networks: { a: { name: 'app_a', ipam: { config: [{ subnet: '10.99.1.0/25', gateway: '10.99.1.1' }] } } } },
      'the network app_a has subnet 10.99.1.0/24 instead of 10.99.1.0/25',
    ],
    [
      'internal',
      { networks: { a: { name: 'app_a', internal: true } } },
      'the network app_a has internal false instead of true',
    ],
    [
      'driver and option',
      { networks: { a: { name: 'app_a', driver: 'macvlan', driver_opts: { parent: 'eth0' } } } },
      'the network app_a has driver bridge instead of macvlan, option parent not set instead of eth0',
    ],
    ['IPv6', { networks: { a: { name: 'app_a', enable_ipv6: true } } }, 'the network app_a has IPv6 false instead of'],
    [
      'where a volume is',
      { volumes: { db: { name: 'app_db', driver_opts: { type: 'nfs', o: 'addr=10.0.0.2', device: ':/db' } } } },
      'the volume app_db has option o addr=10.0.0.1 instead of addr=10.0.0.2',
    ],
  ])('%s', async (_, model, text) => {
    const refusal = await refusalOf(model)
    expect(refusal?.message).toContain(`app is left as it is: ${text}`)
    expect(refusal?.problems[0]?.remedy).toContain(
      text.includes('volume') ? 'give the volume with the new settings another name' : '--project-name app down',
    )
  })
})

test("podman's networks are not looked at, its volumes are", async () => {
  const model = { networks: { a: { name: 'app_a', internal: true } }, volumes: { db: { name: 'app_db', driver: 'x' } } }
  const refusal = await refusalOf(model, 'podman')
  expect(refusal?.message).toContain('the volume app_db has driver local instead of x')
  expect(refusal?.message).not.toContain('network app_a')
})

async function refusalOf(model: object, engine: 'docker' | 'podman' = 'docker') {
  const declared = declaredObjects({ ...model })
  return objectRefusal(project, declared, await existingObjects(declared, prints(engine)))
}

/** Exits as the engine does: 1 where one of the names is missing, with those that are there printed. */
function prints(engine: 'docker' | 'podman'): Run {
  return ({ args: [program = '', kind = '', ...others] }) => {
    if (program !== engine) return Promise.resolve({ code: 127, stdout: '', stderr: '' })
    if (kind === '--version') return Promise.resolve({ code: 0, stdout: `${engine} version 26`, stderr: '' })
    const all: readonly { readonly Name: string }[] = kind === 'network' ? [network] : [volume]
    const found = all.filter(({ Name }) => others.includes(Name))
    return Promise.resolve({
      code: found.length === others.length - 2 ? 0 : 1,
      stdout: JSON.stringify(found),
      stderr: '',
    })
  }
}

const project: ComposeResource = {
  kind: 'compose',
  id: resourceId('compose', 'app'),
  project: 'app',
  directory: absolutePathSchema.parse('/srv/compose/app'),
  file: absolutePathSchema.parse('/srv/compose/app/compose.yaml'),
  files: [],
  sha256: sha256Schema.parse('0'.repeat(64)),
  state: 'running',
  registries: [],
  allowMounts: [],
  allow: [],
  moveMounts: [],
}
