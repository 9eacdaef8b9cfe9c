// What each page says, on the example fleet.
import { describe, expect, test } from 'vitest'
import type { DifferenceCode } from '../../../../shared/finding-kind.ts'
import type { Problem } from '../../../../shared/problem.ts'
import { waysOut } from '../../../../shared/ways-out.ts'
import { dashboard, installLine, now, readablePaths, session, textOf } from './dashboard.ts'
import { emptyFleet, exampleFleet, type FixtureFleet, largeFleet, service } from './fixtures.ts'

const withFleet = (change: (fleet: FixtureFleet['fleet']) => FixtureFleet['fleet']): FixtureFleet => {
  const example = exampleFleet(now)
  return { ...example, fleet: change(example.fleet) }
}

describe('the fleet page', () => {
  test('says how many hosts are in sync, at which commit, when fetched and how many alerts are open', async () => {
    const text = textOf(await dashboard().html('/'))
    expect(text).toContain('6 of 13 hosts in sync')
    expect(text).toContain('a41f9c2 nginx: raise worker_connections to 2048 Ada Lindqvist, 26 min ago')
    expect(text).toContain('fetched 30 s ago from https://git.example.org/ops/fleet.git')
    expect(text).toContain('3 open')
  })

  test('names every state in words', async () => {
    const text = textOf(await dashboard().html('/'))
    for (const word of [
      'in sync',
      'drift 2',
      'pending 3',
      'failed',
      'held',
      'offline',
      'not enrolled',
      'no report yet',
    ]) {
      expect(text).toContain(word)
    }
  })

  test('keeps the word of every cell when only its mark is seen', async () => {
    const html = await dashboard().html('/?cells=marks')
    expect(html).toMatch(/<td class="is-drift" data-service="nginx"><a [^>]*><span>drift<\/span>/)
  })

  test('puts the hosts that need a person first, then orders names as people count', async () => {
    const html = await dashboard().html('/')
    const order = [...html.matchAll(/<th scope="row"><div class="who"><a href="\/hosts\/([^"]+)"/g)].map(
      (match) => match[1],
    )
    expect(order.slice(0, 3)).toEqual(['db-2', 'web-2', 'edge-5'])
    expect(order.slice(-2)).toEqual(['web-1', 'web-10'])
  })

  test('shows only the hosts of the state in its address, without a script', async () => {
    const html = await dashboard().html('/?state=drift')
    expect(html).toContain('href="/hosts/web-2"')
    expect(html).not.toContain('href="/hosts/web-1"')
    expect(html).toContain('6 of 13 hosts in sync')
  })

  test('filters by part of a host’s name, and by part of a service’s name when no host has it', async () => {
    const pages = dashboard()
    const byHost = await pages.html('/?q=edge')
    expect(byHost).toContain('href="/hosts/edge-1"')
    expect(byHost).not.toContain('href="/hosts/web-1"')
    const byService = await pages.html('/?q=postg')
    expect(byService).toContain('href="/hosts/db-1"')
    expect(byService).not.toContain('href="/hosts/web-1"')
    expect(byService).not.toContain('href="/services/nginx"')
  })

  test('says so when a filter finds nothing, and leads back', async () => {
    const text = textOf(await dashboard().html('/?q=zebra&state=held'))
    expect(text).toContain('No host or service named like “zebra” is held. Show all 13 hosts')
  })

  test('needs no alert for the number of open ones', async () => {
    const alerts = () => Promise.reject(new Error('alerts were read'))
    expect(await dashboard({ views: { alerts } }).html('/')).toContain('<title>(3) Fleet')
  })

  test('calls what an offline host last said the past', async () => {
    expect(await dashboard().html('/?state=offline')).toContain('<span>was in sync</span>')
    expect(textOf(await dashboard().html('/'))).toContain('1 host is not connected: dashed')
  })

  test('says of a host that is not connected, and not offline yet, that it is not connected', async () => {
    const since = new Date(now.getTime() - 90_000).toISOString()
    const pages = dashboard(
      {},
      withFleet((fleet) => ({
        ...fleet,
        hosts: fleet.hosts.map((row) => (row.host === 'web-1' ? { ...row, connected: false, staleSince: since } : row)),
      })),
    )
    expect(textOf(await pages.html('/'))).toContain('web-1 was in sync 2 min ago , not connected')
  })

  test('calls the numbers of a connected host that finishes no check the past, too', async () => {
    const since = new Date(now.getTime() - 400_000).toISOString()
    const isWeb2 = (one: { readonly host: string }) => one.host === 'web-2'
    const fixture = withFleet((fleet) => ({
      ...fleet,
      hosts: fleet.hosts.map((row) => (isWeb2(row) ? { ...row, staleSince: since } : row)),
    }))
    const hosts = fixture.hosts.map((view) => (isWeb2(view) ? { ...view, staleSince: since } : view))
    const drifts = fixture.drifts.map((view) => ({ ...view, staleSince: since }))
    const pages = dashboard({}, { ...fixture, hosts, drifts })
    expect(textOf(await pages.html('/'))).toContain(
      '1 host is not connected, 1 host has finished no check lately: dashed',
    )
    expect(textOf(await pages.html('/?state=drift'))).toMatch(
      /web-2 was drift 7 min ago , no check since .* was drift 2/,
    )
    expect(await pages.html('/?state=drift')).toContain(
      '2 findings, since 2026-11-23 03:00:00 UTC, as of 2026-11-23 03:05:20 UTC',
    )
    const drift = textOf(await pages.html('/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf'))
    expect(drift).toContain('/etc/nginx/nginx.conf was drift')
    expect(drift).toContain('Not current: as of 7 min ago 2026-11-23 03:05:20 UTC .')
    const host = textOf(await pages.html('/hosts/web-2'))
    expect(host).toContain('Not current: as of 7 min ago 2026-11-23 03:05:20 UTC .')
    expect(host).toContain('The agent of web-2 is connected, but has finished no check since.')
    expect(host).toContain('nginx was drift')
  })

  test.each([
    ['is not current', { staleSince: now.toISOString() }],
    ['has something unknown', { state: 'unknown' as const }],
  ])('counts a host that %s as in sync nowhere', async (_why, change) => {
    const pages = dashboard(
      {},
      withFleet((fleet) => ({
        ...fleet,
        hosts: fleet.hosts.map((row) => (row.host === 'web-1' ? { ...row, ...change } : row)),
      })),
    )
    const text = textOf(await pages.html('/'))
    expect(text).toContain('5 of 13 hosts in sync')
    expect(text).toContain(' in sync 5 ')
    expect(await pages.html('/')).toMatch(/aria-label="5 in sync, .*1 unknown/)
    expect(await pages.html('/?state=in-sync')).not.toContain('id="host-web-1"')
    expect(await pages.html('/?state=unknown')).toContain('id="host-web-1"')
  })

  test.each(['drift', 'failed', 'pending', 'unknown', 'held'] as const)(
    'finds an offline host that was %s when last heard of, and says that it was',
    async (fact) => {
      const pages = dashboard(
        {},
        withFleet((fleet) => ({
          ...fleet,
          hosts: fleet.hosts.map((row) => {
            const [first, ...cells] = row.cells
            const state = fact === 'held' ? 'in-sync' : fact
            return row.host === 'edge-5' && first !== undefined
              ? { ...row, cells: [{ ...first, state, facts: [fact] }, ...cells] }
              : row
          }),
        })),
      )
      const html = await pages.html(`/?state=${fact}`)
      expect(html).toContain('id="host-edge-5"')
      if (fact !== 'held') expect(html).toContain(`was ${fact}</span>`)
    },
  )

  test('tells what to do while there is no clone, no host, and no agent', async () => {
    const noClone = textOf(await dashboard({}, emptyFleet()).html('/'))
    expect(noClone).toContain('The repository has not been cloned yet.')
    const noHosts = withFleet((fleet) => ({ ...fleet, hosts: [] }))
    expect(textOf(await dashboard({}, noHosts).html('/'))).toContain('plumb.yaml names no host.')
    const nobody = withFleet((fleet) => ({
      ...fleet,
      hosts: fleet.hosts.filter((row) => row.state === 'not-enrolled'),
    }))
    const text = textOf(await dashboard({}, nobody).html('/', session))
    expect(text).toContain('The repository names these hosts; none has an agent yet. Enroll edge-6')
  })

  test('shows the problems of the repository with place and remedy', async () => {
    const broken = withFleet((fleet) => ({
      ...fleet,
      repository: {
        ...fleet.repository,
        problems: [
          {
            code: 'repository-invalid',
            message: 'unknown key "tempalte"',
            where: { file: 'services/caddy/service.yaml', line: 3, column: 5 },
            remedy: 'Did you mean "template"?',
          },
        ],
      },
    }))
    const text = textOf(await dashboard({}, broken).html('/'))
    expect(text).toContain('services/caddy/service.yaml:3:5 unknown key "tempalte" Did you mean "template"?')
  })

  test('turns to marks for many services, and back to words on request', async () => {
    const pages = dashboard({}, largeFleet(now, 200, 30))
    expect(await pages.html('/')).toContain('class="grid-box marks"')
    expect(await pages.html('/?cells=words')).toContain('class="grid-box words"')
  })

  test('shows a large fleet page by page, the most urgent hosts first, and all of it on request', async () => {
    const pages = dashboard({}, largeFleet(now, 1000, 30))
    const rows = (html: string) => [...html.matchAll(/<tr id="host-([^"]+)"/g)].map(([, host]) => host)
    const [first, fifth, beyond, all] = await Promise.all(
      ['/', '/?page=5', '/?page=77', '/?page=all'].map(async (path) => await pages.html(path)),
    )
    expect(textOf(first ?? '')).toContain('Hosts 1 to 200 of 1,000, the most urgent first Next Show all 1,000')
    expect(first).toContain('href="/?page=2"')
    expect(textOf(fifth ?? '')).toContain('Hosts 801 to 1,000 of 1,000, the most urgent first Previous Show all 1,000')
    expect(rows(beyond ?? '')).toEqual(rows(fifth ?? ''))
    expect(rows(all ?? '')).toHaveLength(1000)
    expect(rows(all ?? '').slice(0, 200)).toEqual(rows(first ?? ''))
    expect(textOf(all ?? '')).toContain('Page by page')
  })

  test('looks on all pages for what is filtered, and begins at the first page of what it found', async () => {
    const pages = dashboard({}, largeFleet(now, 1000, 30))
    const html = await pages.html('/?q=node-99&page=4')
    expect([...html.matchAll(/<tr id="host-([^"]+)"/g)].map(([, host]) => host)).toContain('node-999.dc3')
    expect(await pages.html('/?page=4')).toContain('href="/?state=failed"')
    expect(await pages.html('/?page=4')).toContain('href="/?cells=words&amp;page=4"')
    expect(await pages.html('/?page=4')).not.toContain('name="page"')
  })

  test.each(['0', '-1', 'x', '1e9', ''])('takes %j for no page', async (page) => {
    const pages = dashboard({}, largeFleet(now, 1000, 30))
    expect(textOf(await pages.html(`/?page=${page}`))).toContain('Hosts 1 to 200 of 1,000')
  })

  test.each([
    [1000, 12],
    [1000, 60],
    [200, 400],
  ])('is small enough to be drawn at once, with %i hosts and %i services', async (hosts, services) => {
    const html = await dashboard({}, largeFleet(now, hosts, services)).html('/')
    expect(html.length).toBeLessThan(1_000_000)
  })
})

test.each([...readablePaths, '/nowhere'])('%s says that nothing is recorded, why, and since when', async (path) => {
  const pages = dashboard({
    recordingProblem: async () => ({
      ...{ code: 'disk-full', message: 'Nothing can be recorded: full.', remedy: 'Make room.' },
      since: new Date(now.getTime() - 120_000).toISOString(),
    }),
  })
  expect(textOf(await pages.html(path))).toContain(
    'Nothing can be recorded: full. Since 2 min ago 2026-11-23 03:10:00 UTC . What pages show is as it was recorded before. Make room.',
  )
  expect(textOf(await dashboard().html(path))).not.toContain('can be recorded')
})

describe('the page of a host', () => {
  test('shows each service with its revision, author and subject, and leads from a finding to its drift', async () => {
    const html = await dashboard().html('/hosts/web-2')
    expect(textOf(html)).toContain('nginx drift a41f9c2 nginx: raise worker_connections to 2048 Ada Lindqvist')
    expect(html).toContain('href="/hosts/web-2/drift?resource=file%3A%2Fetc%2Fnginx%2Fnginx.conf"')
    expect(textOf(html)).toContain('mode 0666 on the host 0644 last applied')
  })

  test('shows the commit’s author and message beside each file an apply changed', async () => {
    const text = textOf(await dashboard().html('/hosts/web-2'))
    expect(text).toContain(
      'wrote /etc/nginx/nginx.conf (content) why a41f9c2 nginx: raise worker_connections to 2048 Ada Lindqvist, 26 min ago',
    )
  })

  test('tells what is ignored and why, what is fought over, and what was put back with what had been changed', async () => {
    const html = await dashboard().html('/hosts/web-2')
    const text = textOf(html)
    expect(text).toMatch(/One difference ignored ?: left as it is/)
    expect(text).toContain('dhclient writes it on this network')
    expect(text).toMatch(/repaired 3 times since .*: no longer repaired/)
    expect(text).toContain('Drift put back by the repository')
    expect(html).toContain('<summary>What was changed</summary>')
  })

  test('does not credit an apply with a commit that was made after it', async () => {
    const html = await dashboard().html('/hosts/web-2')
    const older = textOf(html.split('<details id="apply-').at(2)?.split('</details>').at(0) ?? '')
    expect(older).toContain('wrote /etc/nginx/nginx.conf (content) why')
    expect(older).not.toContain('a41f9c2')
  })

  test('shows where and why an apply failed, and the remedy', async () => {
    const text = textOf(await dashboard().html('/hosts/db-2'))
    expect(text).toContain('failed at validate /etc/postgresql/15/main/postgresql.conf , revision 5e6f0b1')
    expect(text).toContain('postgresql.conf:128:1')
    expect(text).toContain('Fix the parameter and push, or: plumb hold postgres')
    expect(text).toContain('3 attempts')
  })

  test.each([
    [1, ''],
    [12, '<pre>  line 0 of output'],
    [13, '<details><summary>13 lines of output</summary>'],
  ])('shows %i lines of what a failed program wrote once, as it wrote them', async (count, mark) => {
    const example = exampleFleet(now)
    const output = Array.from({ length: count }, (_, n) => `  line ${n} of output`)
    const problem = { code: 'validation-failed', message: ['It fails:', ...output].join('\n') } as const
    const hosts = example.hosts.map((view) => ({
      ...view,
      services: view.services.map((one) =>
        one.failure === undefined ? one : { ...one, failure: { ...one.failure, problem } },
      ),
      failedApplies: view.failedApplies.map((one) => ({ ...one, failure: { ...one.failure, problem } })),
    }))
    const html = await dashboard({}, { ...example, hosts }).html('/hosts/db-2')
    expect(html).toContain(mark)
    expect(html.includes('lines of output</summary>')).toBe(count > 12)
    expect(html.split(`<pre>${output.join('\n')}</pre>`)).toHaveLength(2)
    expect(html).toContain('Why, and postgres now')
  })

  test('shows who holds a service, why and until when', async () => {
    const text = textOf(await dashboard().html('/hosts/mon-1'))
    expect(text).toContain('Made on the host, and ended there: sudo plumb release grafana')
    expect(text).toContain('Held by ines@mon-1, ends in 1 h')
    expect(text).toContain('Dashboards are being moved by hand; OPS-231')
  })

  test('shows what is pending with the repository’s file', async () => {
    const text = textOf(await dashboard().html('/hosts/edge-3'))
    expect(text).toContain('2 changes pending : in the repository, not applied yet')
    expect(text).toContain('services/caddy/files/etc/caddy/Caddyfile')
  })

  test('gives the times of a host whose clock is wrong as its own, and says how wrong it is', async () => {
    const example = exampleFleet(now)
    const ahead = { clockAheadSeconds: 5 * 3600 }
    const pages = dashboard(
      {},
      {
        ...example,
        hosts: example.hosts.map((view) => ({ ...view, ...ahead })),
        drifts: example.drifts.map((view) => ({ ...view, clockAheadSeconds: -5 * 3600 })),
      },
    )
    const [host, failed, drift] = await Promise.all(
      ['/hosts/web-2', '/hosts/db-2', '/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf'].map(async (path) =>
        textOf(await pages.html(path)),
      ),
    )
    expect(host).toContain('The clock of web-2 is 5 h ahead.')
    expect(host).toContain('· applied 2026-11-23 02:47:00 UTC by its own clock')
    expect(host).not.toMatch(/· applied \d+ \w+ ago/)
    expect(failed).toMatch(/last tried \S+ \S+ UTC by its own clock/)
    expect(drift).toContain('The clock of web-2 is 5 h behind.')
    expect(drift).toMatch(/content written \S+ \S+ UTC by its own clock/)
    expect(drift).toMatch(/Noticed \d+ min ago/)
  })

  test('does not present an offline host’s last report as the present', async () => {
    const text = textOf(await dashboard().html('/hosts/edge-5'))
    expect(text).toContain('Not current: as of 2 h ago 2026-11-23 00:52:00 UTC . The agent of edge-5 is not connected.')
    expect(text).toContain('base was in sync')
    expect(text.split('Recent applies')[0]).not.toMatch(/(?<!was) in sync/)
    expect(text).toContain('connection timed out after 30 s')
  })

  test('leads an operator to enrolling, and a reader to signing in', async () => {
    expect(await dashboard().html('/hosts/edge-6', session)).toContain('href="/enroll?host=edge-6"')
    expect(await dashboard().html('/hosts/edge-6')).not.toContain('/enroll?host')
  })
})

describe('the page of a service', () => {
  test('marks the hosts whose state is as last reported, with since when', async () => {
    const text = textOf(await dashboard().html('/services/caddy'))
    expect(text).toContain('edge-5 was in sync 0d92ee4 Not current: as of 2 h ago 2026-11-23 00:52:00 UTC .')
    expect(text).toContain('in sync on 3 of 6 hosts, and was on 1 more when last heard of')
    expect(textOf(await dashboard().html('/services/nginx'))).not.toContain('last heard of')
  })

  test('shows the README, the hosts with their state, and each path with its commit', async () => {
    const html = await dashboard().html('/services/nginx')
    expect(html).toContain('<h2>How it is deployed</h2>')
    const text = textOf(html)
    expect(text).toContain('in sync on 2 of 3 hosts')
    expect(text).toContain('web-2 drift a41f9c2')
    expect(text).toContain(
      '/etc/nginx/nginx.conf a41f9c2 nginx: raise worker_connections to 2048 Ada Lindqvist, 26 min ago',
    )
    expect(text).toContain('/etc/nginx/conf.d/new.conf not in a commit yet')
  })

  test('says how to give a service to a host when none has it', async () => {
    const example = exampleFleet(now)
    const services = example.services.map((view) => ({ ...view, hosts: [], paths: [], history: [] }))
    const text = textOf(await dashboard({}, { ...example, services }).html(`/services/${service('nginx')}`))
    expect(text).toContain('No host has this service.')
    expect(text).toContain('services/nginx/files/')
  })
})

describe('the page of a drift', () => {
  const path = '/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf'

  test('shows the diff with signs and line numbers, and marks what differs within a line', async () => {
    const html = await dashboard().html(path)
    expect(html).toContain(
      '<tr class="removed"><td class="n">7</td><td class="n"></td><td class="t">-    worker_connections <mark>2048</mark>;</td></tr>',
    )
    expect(html).toContain(
      '<tr class="added"><td class="n"></td><td class="n">7</td><td class="t">+    worker_connections <mark>16384</mark>;</td></tr>',
    )
  })

  test('says since when, on what evidence, why the repository says otherwise, and the ways out', async () => {
    const text = textOf(await dashboard().html(path))
    expect(text).toContain('Noticed 12 min ago 2026-11-23 03:00:00 UTC')
    expect(text).toContain('owner deploy:deploy')
    expect(text).toContain('Evidence, not proof')
    expect(text).toContain('logged in then: anna from 10.0.0.5 (ssh, pts/0, since 2026-11-23 02:52:00 UTC)')
    const html = await dashboard().html(path)
    expect(html).toContain('anna as root: /usr/bin/vi &lt;b&gt; /etc/nginx/nginx.conf')
    expect(text).toContain('The limit was hit twice this week')
    expect(text).toContain('sudo plumb apply')
    expect(text).toContain('sudo plumb adopt /etc/nginx/nginx.conf')
    expect(text).toContain('plumb adopt /etc/nginx/nginx.conf --host web-2 --server http://plumb.example.org')
    expect(text).not.toContain('--certificate FILE')
    expect(textOf(await dashboard({ selfSigned: true }).html(path))).toContain('--certificate FILE')
  })

  test('has for a host that is a directory of this machine commands with its directories', async () => {
    const place = { plumb: '/co/scripts/plumb', root: '/co/web-2/root', state: '/co/web-2/state', remote: '/co/fleet' }
    const pages = dashboard({ sandboxes: new Map([['web-2', place]]) })

    const text = textOf(await pages.html(path))
    const places = '--root /co/web-2/root --state /co/web-2/state'
    expect(text).toContain(`/co/scripts/plumb apply ${places}`)
    expect(text).toContain(`/co/scripts/plumb adopt /etc/nginx/nginx.conf --remote /co/fleet ${places}`)
    expect(text).not.toContain('sudo plumb')
    expect(text).toContain('/co/scripts/plumb adopt /etc/nginx/nginx.conf --host web-2 --server')

    const why = textOf(await pages.html('/why?path=/etc/nginx/nginx.conf'))
    expect(why).toContain('On web-2, for a line of the live file')
    expect(why).toContain(`/co/scripts/plumb why /etc/nginx/nginx.conf:1 ${places}`)
  })

  test('says that a template of secrets is kept on the host alone', async () => {
    const example = exampleFleet(now)
    const drifts = example.drifts.map((drift) => ({ ...drift, holdsSecrets: true }))
    const text = textOf(await dashboard({}, { ...example, drifts }).html(path))
    expect(text).toContain('sudo plumb adopt /etc/nginx/nginx.conf')
    expect(text).not.toContain('--server')
  })

  test('offers a clone alone where the host has no git for adopt', async () => {
    const example = exampleFleet(now)
    const gitMissing = { code: 'git-missing' as const, message: 'git is not on this host' }
    const textWith = async (problems: readonly Problem[]) => {
      const drifts = example.drifts.map((drift) => {
        const finding = { ...drift.finding, adoption: { outcome: 'refused' as const, problems: [...problems] } }
        return { ...drift, finding, waysOut: waysOut({ service: drift.service, findings: [finding], pending: [] }) }
      })
      return textOf(await dashboard({}, { ...example, drifts }).html(path))
    }
    const text = await textWith([gitMissing])
    expect(text).not.toContain('sudo plumb adopt')
    expect(text).toContain('git is not on this host')
    expect(text).toContain('plumb adopt /etc/nginx/nginx.conf --host web-2 --server http://plumb.example.org')
    expect(await textWith([{ code: 'usage', message: 'the same lines were changed' }])).not.toContain('--server')
  })

  test('shows the values of a JSON or YAML file that differ, above the diff', async () => {
    const example = exampleFleet(now)
    const changes = [
      { path: 'panels[0].title', kind: 'changed' as const, expected: '"Load"', live: '"Lo\u202ead"' },
      { path: 'refresh', kind: 'added' as const, live: '"5s"' },
    ]
    const withChanges = (told: readonly (typeof changes)[number][]) => ({
      ...example,
      drifts: example.drifts.map((drift) => ({
        ...drift,
        finding: { ...drift.finding, changes: [...told], changesCut: true },
      })),
    })
    const html = await dashboard({}, withChanges(changes)).html(path)
    const text = textOf(html)
    expect(text).toMatch(/2 values differ.*panels\[0\]\.title.*"Load".*"Lo‹U\+202E›ad".*refresh.*not there.*"5s"/s)
    expect(text).toContain('More values differ than a report may carry.')
    expect(html.indexOf('value-changes')).toBeLessThan(html.indexOf('diff-key'))
    const formatted = await dashboard({}, withChanges([])).html(path)
    expect(textOf(formatted)).toContain('Only formatting and order differ')
  })

  test('says that a diff was cut', async () => {
    const example = exampleFleet(now)
    const drifts = example.drifts.map((drift) => ({ ...drift, finding: { ...drift.finding, diffCut: true } }))
    expect(textOf(await dashboard({}, { ...example, drifts }).html(path))).toContain('The diff was cut by the agent')
  })

  test('names a unit as adopt does, and the service’s own file where the resource has none and cannot be adopted', async () => {
    const unit = '/hosts/web-2/drift?resource=unit:nginx.service'
    expect(textOf(await dashboard().html(unit))).toContain('sudo plumb adopt unit:nginx.service')
    const example = exampleFleet(now)
    const textWith = async (name: string, live: string, code: DifferenceCode) => {
      const differences = [{ name, expected: 'something', live, codes: [code] }]
      const drifts = example.drifts.map((drift) => {
        const finding = { ...drift.finding, differences }
        return { ...drift, finding, waysOut: waysOut({ service: drift.service, findings: [finding], pending: [] }) }
      })
      return textOf(await dashboard({}, { ...example, drifts }).html(unit))
    }
    const masked = await textWith('enabled', 'masked', 'unit-masked')
    expect(masked).toContain('$EDITOR services/nginx/service.yaml')
    expect(masked).not.toContain('plumb adopt')
    expect(await textWith('state', 'failed', 'unit-failed')).not.toContain('Keep it')
  })
})

describe('the page of alerts', () => {
  test('shows open ones before resolved ones, with the diff folded', async () => {
    const html = await dashboard().html('/alerts')
    expect(html.indexOf('nginx on web-2 has drifted')).toBeLessThan(html.indexOf('base on db-1 has drifted'))
    expect(html).toContain('<details id="alert-41-diff"><summary>Diff</summary>')
    expect(textOf(html)).toContain('resolved 2 d ago')
  })

  test('says when none is open', async () => {
    expect(textOf(await dashboard({}, emptyFleet()).html('/alerts'))).toContain('No open alert.')
  })

  test('says why an alert ended whose cause is still there, and does not call it resolved', async () => {
    const end = { kind: 'held', by: 'anna', until: '2026-11-23T05:00:00.000Z' } as const
    const fleet = exampleFleet(now)
    const alerts = fleet.alerts.map((alert) => (alert.resolvedAt === undefined ? alert : { ...alert, end }))

    const text = textOf(await dashboard({}, { ...fleet, alerts }).html('/alerts'))

    expect(text).toContain('held by anna until 2026-11-23 05:00:00 UTC')
    expect(text).toMatch(/ended/)
    expect(text).not.toMatch(/resolved(?! alerts)/)
  })
})

describe('enrolling', () => {
  test('offers the hosts that wait for an agent, the one asked for chosen', async () => {
    const former = await dashboard().get('/enrol?host=edge-6')
    expect([former.status, former.headers.get('location')]).toEqual([301, '/enroll?host=edge-6'])
    const html = await dashboard().html('/enroll?host=edge-6', session)
    expect(html).toMatch(/<option value="edge-6" selected="">edge-6<\/option>/)
    expect(html).not.toContain('value="web-1"')
  })

  test('shows the line, its expiry and that it works once, and keeps it out of caches', async () => {
    const pages = dashboard()
    const made = await pages.post('/enroll', { host: 'edge-6' }, session)
    expect(made.status).toBe(303)
    const address = made.headers.get('location') ?? ''
    const response = await pages.get(address, { ...session, 'accept-encoding': 'gzip' })
    const html = await response.text()
    expect(textOf(html)).toContain(installLine)
    expect(textOf(html)).toContain('The token expires in 30 min 2026-11-23 03:42:00 UTC')
    expect(textOf(html)).toContain('It enrolls one host, once.')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(textOf(await pages.html(address, session))).toContain(installLine)
    expect(pages.asked).toEqual(['enroll edge-6'])
  })

  test('the page of a line is for operators, for ten minutes', async () => {
    let minutes = 0
    const pages = dashboard({ now: () => new Date(now.getTime() + minutes * 60_000) })
    const address = (await pages.post('/enroll', { host: 'edge-6' }, session)).headers.get('location') ?? ''

    expect((await pages.get(address)).headers.get('location')).toContain('/login')
    minutes = 11
    const late = await pages.get(address, session)

    expect(late.status).toBe(404)
    expect(textOf(await late.text())).not.toContain(installLine)
  })

  test('where no agent is built it makes no line, and says how to build one', async () => {
    const pages = dashboard({ hasAgent: async () => false })

    expect(textOf(await pages.html('/enroll', session))).toContain('Run npm run build in the server’s checkout')
    const response = await pages.post('/enroll', { host: 'edge-6' }, session)

    expect(response.status).toBe(409)
    expect(textOf(await response.text())).toContain('No agent is built on this server')
    expect(pages.asked).toEqual([])
  })

  test('refuses a host that is enrolled already', async () => {
    const pages = dashboard()
    const response = await pages.post('/enroll', { host: 'web-1' }, session)
    expect(response.status).toBe(422)
    expect(textOf(await response.text())).toContain('“web-1” is not a host that waits to be enrolled')
    expect(pages.asked).toEqual([])
  })

  test('warns of plain http, but not on the machine itself', async () => {
    expect(textOf(await dashboard().html('/enroll', session))).toContain('Plain http.')
    const local = dashboard({ publicUrl: 'http://127.0.0.1:8080' })
    expect(textOf(await local.html('/enroll', session))).not.toContain('Plain http.')
    const secure = dashboard({ publicUrl: 'https://plumb.example.org' })
    expect(textOf(await secure.html('/enroll', session))).not.toContain('Plain http.')
  })
})

describe('what is not there', () => {
  test.each(['/hosts/nobody', '/hosts/NOT*A*HOST', '/services/nothing', '/hosts/web-2/drift', '/nowhere/at/all'])(
    '%s is a calm 404',
    async (path) => {
      const response = await dashboard().get(path)
      expect(response.status).toBe(404)
      expect(await response.text()).toContain('<main id="main"')
    },
  )

  test('a drift that is gone says that it was put back', async () => {
    const text = textOf(await dashboard().html('/hosts/web-1/drift?resource=file:/etc/motd'))
    expect(text).toContain('web-1 reports no drift of /etc/motd')
  })

  test('an error gives a reference and not its message, and is told to the server', async () => {
    const fleet = () => Promise.reject(new Error('SQLITE_CORRUPT at /var/lib'))
    const pages = dashboard({ views: { fleet } })
    const response = await pages.get('/')
    const html = await response.text()
    expect(response.status).toBe(500)
    expect(html).not.toContain('SQLITE_CORRUPT')
    const reference = /under ([0-9a-f]{8})/.exec(html)?.[1]
    expect(pages.asked.map((line) => JSON.parse(line))).toMatchObject([
      { reference, msg: 'a page failed', err: { message: 'SQLITE_CORRUPT at /var/lib' } },
    ])
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
  })
})

test('every page has one h1 and a title', async () => {
  const pages = dashboard()
  for (const path of readablePaths) {
    const html = await pages.html(path)
    const own = html.replace(/<div class="prose">.*?<\/div>/s, '')
    expect(own.match(/<h1/g), path).toHaveLength(1)
    expect(html, path).toMatch(/<title>.+ · Plumbline<\/title>/)
  }
})
