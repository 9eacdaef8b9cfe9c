// The shapes that most compose projects have, each from a host that has nothing to in sync, and in sync still when asked again.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { built, layered, monitoring, password, shapes } from './compose-shapes.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

describe.skipIf(reason !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let box: ComposeHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'shapes', 'trixie-docker')
    await box.host.output([
      'sh',
      '-c',
      'umask 077; mkdir -p /etc/plumb/secrets; printf "%s" "$1" > /etc/plumb/secrets/database',
      'sh',
      password,
    ])
  })
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })

  test('a first apply brings all of them up, and a second has nothing to do', async () => {
    await box.commit(shapes)

    const first = await box.plumb('apply')
    const again = await box.plumb('plan')
    const check = await box.plumb('check', '--full')

    expect(first).toEqual({ code: 0, text: expect.stringContaining('in sync') })
    expect(again.text).not.toMatch(/^(?:proxy|site|database|monitoring|built|layered|included): /m)
    expect(check.code).toBe(0)
  })

  test('reverse proxy and site share the external network, and the proxy sees the allowed socket', async () => {
    expect(
      (await box.engine('network', 'inspect', '--format', '{{range .Containers}}{{.Name}} {{end}}', 'edge'))
        .split(' ')
        .toSorted(),
    ).toEqual(['proxy', 'site-web-1'])
    expect(await box.engine('exec', 'proxy', 'sh', '-c', 'test -S /var/run/docker.sock && echo there')).toBe('there')
  })

  test('the database has its password, is healthy, and has its volume', async () => {
    expect(await box.engine('exec', 'database-db-1', 'sh', '-c', 'echo "$POSTGRES_PASSWORD"')).toBe(password)
    expect(await box.engine('inspect', '--format', '{{.State.Health.Status}}', 'database-db-1')).toBe('healthy')
    expect(await box.engine('volume', 'ls', '--quiet', '--filter', 'name=database_data')).toBe('database_data')
  })

  test('monitoring sees its configuration, and a commit to it recreates what mounts it alone', async () => {
    const before = await box.containers('monitoring')
    expect(await box.seen('monitoring-prometheus-1', '/etc/prometheus/prometheus.yml')).toContain(
      'scrape_interval: 15s',
    )

    const changed = { ...monitoring, 'prometheus/prometheus.yml': 'global: { scrape_interval: 30s }\n' }
    await box.commit({ ...shapes, monitoring: changed })
    expect((await box.plumb('apply')).code).toBe(0)

    expect(await box.seen('monitoring-prometheus-1', '/etc/prometheus/prometheus.yml')).toContain(
      'scrape_interval: 30s',
    )
    const after = await box.containers('monitoring')
    expect(after.get('prometheus')).not.toBe(before.get('prometheus'))
    expect(after.get('node')).toBe(before.get('node'))
  })

  test('the built application runs what the repository has, also after a commit', async () => {
    expect(await box.seen('built-app-1', '/app/version')).toBe('one')

    await box.commit({ ...shapes, built: { ...built, 'app/version': 'two' } })
    expect((await box.plumb('apply')).code).toBe(0)

    expect(await box.seen('built-app-1', '/app/version')).toBe('two')
  })

  test('of several compose files each overrides the ones before it', async () => {
    expect(await box.engine('exec', 'layered-app-1', 'sh', '-c', 'echo "$STAGE $LEVEL"')).toBe('production debug')
    expect([...(await box.containers('layered')).keys()].toSorted()).toEqual(['app', 'worker'])

    // Without the list they are files that nobody reads, and lint says so.
    await box.commit({ ...shapes, layered: { ...layered, 'service.yaml': 'compose: { files: [compose.yaml] }\n' } })
    expect((await box.plumb('apply')).code).toBe(0)
    expect([...(await box.containers('layered')).keys()]).toEqual(['app'])
  })

  test('an included compose file brings its services, with paths of its own directory', async () => {
    expect([...(await box.containers('included')).keys()].toSorted()).toEqual(['cache', 'web'])
    expect(await box.seen('included-cache-1', '/etc/cache.conf')).toBe('maxmemory 1mb')
  })
})
