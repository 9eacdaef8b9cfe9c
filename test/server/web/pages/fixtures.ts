// A believable fleet for the pages, made relative to a moment; nothing here asks a store or a repository.

import type {
  AlertView,
  CellView,
  CommitView,
  DriftView,
  FleetView,
  HoldView,
  HostRow,
  HostView,
  PathView,
  ServiceView,
  Views,
} from '../../../../server/show/views.ts'
import type { Finding } from '../../../../shared/finding.ts'
import type { HostName, ResourceId, Revision, ServiceName } from '../../../../shared/names.ts'
import { hostNameSchema, resourceIdSchema, revisionSchema, serviceNameSchema } from '../../../../shared/names.ts'
import { waysOut } from '../../../../shared/ways-out.ts'
import type { Blame, OnHost } from '../../../../shared/why.ts'

const host = (name: string): HostName => hostNameSchema.parse(name)
export const service = (name: string): ServiceName => serviceNameSchema.parse(name)
export const revision = (digits: string): Revision => revisionSchema.parse(digits.padEnd(40, '4c1e7'))
const resource = (id: string): ResourceId => resourceIdSchema.parse(id)

export type FixtureFleet = {
  readonly fleet: FleetView
  readonly hosts: readonly HostView[]
  readonly services: readonly ServiceView[]
  readonly drifts: readonly DriftView[]
  readonly alerts: readonly AlertView[]
  readonly paths: readonly PathView[]
}

export function viewsOf(fixture: () => FixtureFleet): Views {
  return {
    fleet: async () => fixture().fleet,
    holds: async () => fixture().fleet.holds,
    host: async (name) => fixture().hosts.find((view) => view.host === name),
    service: async (name) => fixture().services.find((view) => view.service === name),
    drift: async (name, id) => fixture().drifts.find((view) => view.host === name && view.finding.resource === id),
    alerts: async () => fixture().alerts,
    openAlertCount: async () => fixture().alerts.filter(({ resolvedAt }) => resolvedAt === undefined).length,
    why: async (path, { host: named } = {}) =>
      fixture()
        .paths.filter((view) => [view.path, view.source].some((at) => at === path || at.startsWith(`${path}/`)))
        .map(({ onHost, ...view }) => (onHost === undefined || onHost.host !== named ? view : { ...view, onHost })),
  }
}

export function emptyFleet(): FixtureFleet {
  const fleet: FleetView = {
    repository: { url: 'https://git.example.org/ops/fleet.git', branch: 'main', problems: [] },
    services: [],
    hosts: [],
    openAlerts: [],
    holds: [],
  }
  return { fleet, hosts: [], services: [], drifts: [], alerts: [], paths: [] }
}

const commits = {
  head: { digits: 'a41f9c2', author: 'Ada Lindqvist', minutes: 26, subject: 'nginx: raise worker_connections to 2048' },
  caddy: { digits: '77be013', author: 'Ada Lindqvist', minutes: 210, subject: 'caddy: serve docs.example.org' },
  exporter: {
    digits: '0d92ee4',
    author: 'Björn Sato',
    minutes: 2880,
    subject: 'node-exporter: drop the wifi collector',
  },
  base: {
    digits: 'c3580aa',
    author: 'Ines Marchetti',
    minutes: 12_960,
    subject: 'base: keep root logins off, keys only',
  },
  postgres: {
    digits: '5e6f0b1',
    author: 'Björn Sato',
    minutes: 34,
    subject: 'postgres: shared_buffers from the host’s memory',
  },
} as const

export function exampleFleet(now: Date): FixtureFleet {
  const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000).toISOString()
  const commit = (name: keyof typeof commits, body = ''): CommitView => {
    const { digits, author, minutes, subject } = commits[name]
    return { revision: revision(digits), author, at: minutesAgo(minutes), subject, message: `${subject}\n\n${body}` }
  }
  const head = commit(
    'head',
    'The limit was hit twice this week when the crawler came by (ticket OPS-214).\nMeasured: 1,400 connections at peak.',
  )
  const services = ['backup', 'base', 'caddy', 'grafana', 'nginx', 'node-exporter', 'postgres'].map(service)
  const alerts = exampleAlerts(minutesAgo)
  const finding = nginxFinding(minutesAgo)
  const rows = exampleRows(minutesAgo)
  const openAlerts = alerts.filter((alert) => alert.resolvedAt === undefined)
  const paths: readonly PathView[] = [
    {
      path: '/etc/nginx/nginx.conf',
      source: 'services/nginx/files/etc/nginx/nginx.conf',
      why: head,
      blame: nginxBlame([head, commit('base'), commit('caddy')]),
      onHost: nginxOnWeb2(minutesAgo),
    },
    {
      path: '/etc/nginx/sites-available/intranet.example.org.conf',
      source: 'services/nginx/files/etc/nginx/sites-available/intranet.example.org.conf',
      why: commit('base'),
    },
    {
      path: '/etc/nginx/conf.d/gzip.conf',
      source: 'services/nginx/files/etc/nginx/conf.d/gzip.conf',
      why: commit('caddy'),
    },
    {
      path: '/etc/systemd/system/nginx-warm.timer',
      source: 'services/nginx/units/nginx-warm.timer',
      why: commit('exporter'),
    },
    { path: '/etc/nginx/conf.d/new.conf', source: 'services/nginx/files/etc/nginx/conf.d/new.conf' },
  ]
  return {
    fleet: {
      repository: {
        url: 'https://git.example.org/ops/fleet.git',
        branch: 'main',
        head,
        fetchedAt: minutesAgo(0.5),
        problems: [],
      },
      services,
      hosts: rows,
      openAlerts,
      holds: exampleHolds(minutesAgo),
    },
    hosts: rows.map((row) => hostViewOf(row, { minutesAgo, head, base: commit('base'), finding, alerts })),
    services: services.map((name) => ({
      service: name,
      readmeHtml: readme,
      hosts: rows.flatMap((row) =>
        row.cells
          .filter((cell) => cell.service === name)
          .map((cell) => ({
            host: row.host,
            state: cell.state,
            facts: cell.facts,
            ...(row.revision && { applied: row.revision }),
            ...(row.staleSince !== undefined && { staleSince: row.staleSince }),
            ...(cell.facts.includes('held') && { hold: grafanaHold(minutesAgo) }),
          })),
      ),
      paths,
      history: [head, commit('caddy'), commit('exporter'), commit('base')],
      alerts: openAlerts.filter((alert) => alert.service === name),
    })),
    drifts: [
      { ...driftOf(finding), since: minutesAgo(12), why: head },
      { ...driftOf(unitFinding(minutesAgo)), since: minutesAgo(9) },
    ],
    alerts,
    paths,
  }
}

function driftOf(finding: Finding): Omit<DriftView, 'since'> {
  const report = { service: service('nginx'), findings: [finding], pending: [] }
  return {
    host: host('web-2'),
    connected: true,
    facts: ['drift'],
    service: service('nginx'),
    finding,
    applied: revision(commits.base.digits),
    revision: revision(commits.head.digits),
    holdsSecrets: false,
    waysOut: waysOut(report),
  }
}

type MinutesAgo = (minutes: number) => string

function exampleRows(minutesAgo: MinutesAgo): readonly HostRow[] {
  const head = revision(commits.head.digits)
  const cell = (name: string, state: CellView['state'] = 'in-sync', counts: Partial<CellView> = {}): CellView => ({
    service: service(name),
    state,
    facts: state === 'in-sync' || state === 'no-report' ? [] : [state],
    findings: 0,
    pending: 0,
    since: minutesAgo(12),
    ...counts,
  })
  const row = (name: string, state: HostRow['state'], cells: readonly CellView[]): HostRow => ({
    host: host(name),
    state,
    revision: head,
    lastSeenAt: minutesAgo(0.2),
    connected: true,
    cells,
  })
  const edge = (name: string) => row(name, 'in-sync', [cell('base'), cell('caddy'), cell('node-exporter')])
  return [
    row('web-1', 'in-sync', [cell('backup'), cell('base'), cell('nginx'), cell('node-exporter')]),
    row('web-2', 'drift', [
      cell('backup'),
      cell('base'),
      cell('nginx', 'drift', { findings: 2 }),
      cell('node-exporter'),
    ]),
    row('web-10', 'in-sync', [cell('backup'), cell('base'), cell('nginx'), cell('node-exporter')]),
    row('db-1', 'in-sync', [cell('backup'), cell('base'), cell('node-exporter'), cell('postgres')]),
    row('db-2', 'failed', [cell('backup'), cell('base'), cell('node-exporter'), cell('postgres', 'failed')]),
    edge('edge-1'),
    edge('edge-2'),
    {
      ...row('edge-3', 'pending', [cell('base'), cell('caddy', 'pending', { pending: 3 }), cell('node-exporter')]),
      revision: revision(commits.caddy.digits),
    },
    edge('edge-4'),
    {
      ...edge('edge-5'),
      state: 'offline',
      connected: false,
      lastSeenAt: minutesAgo(140),
      staleSince: minutesAgo(140),
      revision: revision('0d92ee4'),
    },
    row('mon-1', 'pending', [
      cell('base'),
      cell('grafana', 'pending', { pending: 1, facts: ['pending', 'held'] }),
      cell('node-exporter'),
    ]),
    {
      host: host('edge-6'),
      state: 'not-enrolled',
      connected: false,
      cells: [cell('base', 'no-report'), cell('caddy', 'no-report'), cell('node-exporter', 'no-report')],
    },
    {
      host: host('build-1'),
      state: 'no-report',
      connected: true,
      cells: [cell('base', 'no-report'), cell('node-exporter', 'no-report')],
    },
  ]
}

type HostParts = {
  readonly minutesAgo: MinutesAgo
  readonly head: CommitView
  readonly base: CommitView
  readonly finding: Finding
  readonly alerts: readonly AlertView[]
}

function hostViewOf(row: HostRow, { minutesAgo, head, base, finding, alerts }: HostParts): HostView {
  const reported = row.revision !== undefined
  return {
    host: row.host,
    state: row.state,
    connected: row.connected,
    ...(row.state !== 'not-enrolled' && { enrolledAt: minutesAgo(60 * 24 * 41) }),
    ...(row.lastSeenAt !== undefined && { lastSeenAt: row.lastSeenAt }),
    ...(row.staleSince !== undefined && { staleSince: row.staleSince }),
    ...(reported && { agentVersion: '0.1.0', platform: 'Debian GNU/Linux 12 (bookworm), x86_64' }),
    ...(reported && { revision: row.revision, commit: head }),
    services: row.cells.map((cell) => ({
      service: cell.service,
      state: cell.state,
      facts: cell.facts,
      ...(reported && {
        applied: base.revision,
        appliedAt: minutesAgo(25),
        commit: cell.service === 'base' ? base : head,
      }),
      findings: cell.findings > 0 ? [finding, unitFinding(minutesAgo)] : [],
      ...(cell.findings > 0 && { ignored: [ignoredResolver] }),
      pending:
        cell.pending > 0
          ? [
              {
                resource: resource('file:/etc/caddy/Caddyfile'),
                summary: 'write /etc/caddy/Caddyfile (content)',
                source: 'services/caddy/files/etc/caddy/Caddyfile',
              },
              { resource: resource('unit:caddy.service'), summary: 'reload caddy.service' },
            ]
          : [],
      ...(cell.state === 'failed' && { failure: postgresFailure(minutesAgo) }),
      ...(cell.facts.includes('held') && { hold: { ...grafanaHold(minutesAgo), origin: 'host' as const } }),
      asked: row.host === 'edge-1' && cell.service === 'caddy' ? exampleHolds(minutesAgo).slice(1) : [],
      waysOut: [],
    })),
    problems:
      row.state === 'offline'
        ? [
            {
              code: 'repository-unreachable',
              message: 'https://git.example.org/ops/fleet.git: connection timed out after 30 s',
              remedy: 'The last good revision stays applied. Check the route from edge-5 to git.example.org.',
            },
          ]
        : [],
    failedApplies:
      row.state === 'failed'
        ? [
            {
              service: service('postgres'),
              failure: postgresFailure(minutesAgo),
              firstAt: minutesAgo(34),
              isCurrent: true,
            },
          ]
        : [],
    applies: reported ? exampleApplies(minutesAgo, { head, base }, row.state === 'failed') : [],
    transitions: reported
      ? [
          { at: minutesAgo(12), service: service('nginx'), from: 'in-sync', to: row.state },
          { at: minutesAgo(25), service: service('nginx'), from: 'pending', to: 'in-sync', revision: head.revision },
          { at: minutesAgo(26), service: service('nginx'), from: 'in-sync', to: 'pending' },
          { at: minutesAgo(60 * 30), to: 'applied c3580aa', revision: base.revision },
        ]
      : [],
    alerts: alerts.filter((alert) => alert.host === row.host),
  }
}

function grafanaHold(minutesAgo: MinutesAgo) {
  const why = 'Dashboards are being moved by hand; OPS-231'
  return { by: 'ines@mon-1', why, since: minutesAgo(25), until: minutesAgo(-95) }
}

function nginxBlame([head, base, caddy]: readonly [CommitView, CommitView, CommitView]): Blame {
  const run = (commit: CommitView, first: number, ...lines: readonly string[]) => ({
    revision: commit.revision,
    first,
    lines,
  })
  return {
    kind: 'lines',
    commits: [head, base, caddy],
    runs: [
      run(
        base,
        1,
        'user www-data;',
        'worker_processes auto;',
        'pid /run/nginx.pid;',
        'error_log /var/log/nginx/error.log warn;',
      ),
      run(caddy, 5, '', 'events {'),
      run(head, 7, '    worker_connections 2048;'),
      run(base, 8, '}', '', 'http {', '    include /etc/nginx/mime.types;'),
      {
        ...run(
          caddy,
          12,
          `    log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"';`,
        ),
        formerly: 'services/web/files/etc/nginx/nginx.conf',
      },
      run(base, 13, '    # <script>window.ran = 1</script> \u202e', '}'),
    ],
  }
}

function nginxOnWeb2(minutesAgo: MinutesAgo): OnHost {
  const about = { service: service('nginx') }
  const summary = '/etc/nginx/nginx.conf: content differs'
  const evidence =
    'changed 2026-11-23 02:59:31 UTC; logged in then: anna from 10.0.0.5 (ssh, pts/0, since 2026-11-23 02:10:02 UTC)'
  const hold = { by: 'ines@web-2', why: 'the certificate authority is down', until: minutesAgo(2000) }
  return {
    ...{ host: host('web-2'), service: service('nginx') },
    ...{ applied: revision('4fe9c21'), appliedAt: minutesAgo(95) },
    drift: [{ resource: 'file:/etc/nginx/nginx.conf', summary, since: minutesAgo(12), evidence }],
    events: [
      { ...about, kind: 'drifted', at: minutesAgo(12), summary, evidence },
      { ...about, kind: 'put-right', at: minutesAgo(95), by: 'apply', revision: revision('4fe9c21') },
      {
        ...about,
        kind: 'applied',
        at: minutesAgo(95),
        revision: revision('4fe9c21'),
        summary: 'wrote /etc/nginx/nginx.conf (content)',
      },
      { ...about, kind: 'hold-ended', at: minutesAgo(2000), early: false },
      { ...about, kind: 'drifted-on', at: minutesAgo(2040), summary },
      { ...about, kind: 'held', at: minutesAgo(2100), ...hold },
      { ...about, kind: 'drifted', at: minutesAgo(2160), summary },
    ],
  }
}

function exampleHolds(minutesAgo: MinutesAgo): readonly HoldView[] {
  return [
    {
      ...grafanaHold(minutesAgo),
      services: [service('grafana')],
      hosts: [{ host: host('mon-1'), state: 'in-force' }],
    },
    {
      id: '5b1f9a4e-0d53-4a1f-9d0b-6a5e0c8d7f10',
      services: [service('caddy')],
      patterns: ['edge-*'],
      by: 'bjorn@desk-4',
      why: 'The certificate authority is down; nothing is to be reloaded',
      since: minutesAgo(3),
      until: minutesAgo(-240),
      hosts: [
        { host: host('edge-1'), state: 'asked' },
        { host: host('edge-2'), state: 'in-force' },
        { host: host('edge-3'), state: 'in-force' },
        { host: host('edge-4'), state: 'released', releasedBy: 'ada@edge-4' },
        { host: host('edge-5'), state: 'asked' },
      ],
    },
  ]
}

const ignoredResolver = {
  resource: resource('file:/etc/resolv.conf'),
  summary: '/etc/resolv.conf: content differs',
  why: 'dhclient writes it on this network',
}

function exampleApplies(
  minutesAgo: MinutesAgo,
  { head, base }: { readonly head: CommitView; readonly base: CommitView },
  failed: boolean,
): HostView['applies'] {
  const nginx = service('nginx')
  return [
    {
      revision: head.revision,
      commit: head,
      at: minutesAgo(25),
      changes: [
        {
          service: nginx,
          summary: 'wrote /etc/nginx/nginx.conf (content)',
          resource: resource('file:/etc/nginx/nginx.conf'),
          source: 'services/nginx/files/etc/nginx/nginx.conf',
        },
        { service: nginx, summary: 'reloaded nginx.service' },
      ],
      failed: failed ? [service('postgres')] : [],
      repaired: [{ service: nginx, finding: nginxFinding(minutesAgo) }],
    },
    {
      revision: base.revision,
      commit: base,
      by: 'ines@web-2',
      at: minutesAgo(60 * 30),
      changes: [
        {
          service: nginx,
          summary: 'wrote /etc/nginx/sites-available/intranet.example.org.conf (content, mode)',
          resource: resource('file:/etc/nginx/sites-available/intranet.example.org.conf'),
          source: 'services/nginx/files/etc/nginx/sites-available/intranet.example.org.conf',
        },
        {
          service: nginx,
          summary: 'wrote /etc/nginx/nginx.conf (content)',
          resource: resource('file:/etc/nginx/nginx.conf'),
          source: 'services/nginx/files/etc/nginx/nginx.conf',
        },
      ],
      failed: [],
    },
  ]
}

function postgresFailure(minutesAgo: MinutesAgo) {
  return {
    revision: revision(commits.postgres.digits),
    at: minutesAgo(33),
    step: 'validate /etc/postgresql/15/main/postgresql.conf',
    problem: {
      code: 'validation-failed',
      message:
        'unrecognized configuration parameter "shared_bufers"\nThe old file is still live; nothing of postgres was applied.',
      where: { file: 'services/postgres/files/etc/postgresql/15/main/postgresql.conf', line: 128, column: 1 },
      remedy: 'Fix the parameter and push, or: plumb hold postgres',
    },
    attempts: 3,
  } as const
}

const nginxDiff = `--- /etc/nginx/nginx.conf (repository)
+++ /etc/nginx/nginx.conf (live)
@@ -1,12 +1,13 @@
 user www-data;
 worker_processes auto;
 pid /run/nginx.pid;
-error_log /var/log/nginx/error.log;
+error_log /var/log/nginx/error.log debug;
 
 events {
-    worker_connections 2048;
+    worker_connections 16384;
+    multi_accept on;
     use epoll;
 }
 
 http {
     sendfile on;
@@ -38,5 +39,5 @@
     ssl_protocols TLSv1.2 TLSv1.3;
-    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305;
+    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:ECDHE-ECDSA-CHACHA20-POLY1305;
     ssl_session_cache shared:SSL:10m;
     include /etc/nginx/conf.d/*.conf;
 }
`

function nginxFinding(minutesAgo: MinutesAgo): Finding {
  return {
    resource: resource('file:/etc/nginx/nginx.conf'),
    summary: '/etc/nginx/nginx.conf: content differs; mode is 0666, should be 0644',
    differences: [
      { name: 'content', expected: '3f'.repeat(32), live: 'b8'.repeat(32), codes: ['content'], adoptable: true },
      { name: 'mode', expected: '0644', live: '0666', codes: ['mode'], adoptable: true },
    ],
    diff: nginxDiff,
    diffCut: false,
    source: 'services/nginx/files/etc/nginx/nginx.conf',
    evidence: {
      modifiedAt: minutesAgo(12.4),
      changedAt: minutesAgo(12.1),
      owner: 'deploy',
      group: 'deploy',
      mode: '0666',
      size: 2317,
      sessions: [{ user: 'anna', from: '10.0.0.5', tty: 'pts/0', service: 'ssh', since: minutesAgo(20) }],
      sudo: [{ at: minutesAgo(12.2), user: 'anna', as: 'root', command: '/usr/bin/vi <b>\u202e/etc/nginx/nginx.conf' }],
    },
  }
}

function unitFinding(minutesAgo: MinutesAgo): Finding {
  return {
    resource: resource('unit:nginx.service'),
    summary: 'nginx.service: stopped, should be running',
    differences: [{ name: 'state', expected: 'running', live: 'stopped', codes: ['unit-state'], adoptable: true }],
    diffCut: false,
    evidence: { changedAt: minutesAgo(9) },
    fight: { repairs: 3, since: minutesAgo(11) },
  }
}

function exampleAlerts(minutesAgo: MinutesAgo): readonly AlertView[] {
  return [
    {
      id: 41,
      kind: 'drift',
      severity: 'critical',
      title: 'nginx on web-2 has drifted',
      text: '/etc/nginx/nginx.conf: content differs; mode is 0666, should be 0644\nnginx.service: stopped, should be running',
      host: host('web-2'),
      service: service('nginx'),
      openedAt: minutesAgo(12),
      diff: nginxDiff,
    },
    {
      id: 40,
      kind: 'apply-failed',
      severity: 'critical',
      title: 'postgres on db-2 was not applied',
      text: 'validate /etc/postgresql/15/main/postgresql.conf: unrecognized configuration parameter "shared_bufers"',
      host: host('db-2'),
      service: service('postgres'),
      openedAt: minutesAgo(33),
    },
    {
      id: 38,
      kind: 'host-offline',
      severity: 'warning',
      title: 'edge-5 is offline',
      text: 'Last heard of 2 h ago. What its services are now is not known.',
      host: host('edge-5'),
      openedAt: minutesAgo(137),
    },
    {
      id: 33,
      kind: 'drift',
      severity: 'critical',
      title: 'base on db-1 has drifted',
      text: '/etc/ssh/sshd_config: content differs',
      host: host('db-1'),
      service: service('base'),
      openedAt: minutesAgo(60 * 52),
      resolvedAt: minutesAgo(60 * 51),
      diff: '--- a\n+++ b\n@@ -4 +4 @@\n-PermitRootLogin no\n+PermitRootLogin yes\n',
    },
  ]
}

const readme = `<h2>nginx</h2><p>Terminates TLS for <code>example.org</code> and hands requests to the application on port 8080.</p>
<h2>How it is deployed</h2><ul><li>the package from Debian</li><li><code>nginx.conf</code> and everything in <code>conf.d/</code> from here</li></ul>
<pre><code>nginx -t &amp;&amp; systemctl reload nginx</code></pre><h2>When it breaks</h2>
<p>Look at <code>/var/log/nginx/error.log</code> first. A certificate that cannot be read is the usual cause.</p>`

/** Many hosts and services, a few of them out of sync, each of those with its alert: what the grid must carry. */
export function largeFleet(now: Date, hosts: number, services: number): FixtureFleet {
  const small = exampleFleet(now)
  const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000).toISOString()
  const names = Array.from({ length: services }, (_, index) =>
    service(`${serviceStems[index % serviceStems.length]}-${index + 1}`),
  )
  const rows = Array.from({ length: hosts }, (_, index) => largeRow(index, { names, minutesAgo }))
  const alerts = rows.flatMap((row, index) => largeAlert(row, { index, minutesAgo }))
  const openAlerts = alerts.toSorted((one, other) => one.severity.localeCompare(other.severity))
  return {
    ...small,
    fleet: { ...small.fleet, services: names, hosts: rows, openAlerts },
    hosts: rows.map((row) => hostViewOf(row, largeHostParts(small, minutesAgo))),
    alerts: openAlerts,
  }
}

type LargeFleetParts = { readonly names: readonly ServiceName[]; readonly minutesAgo: MinutesAgo }

/** Every fifth service is not on the host, except where there are only a few. */
function largeRow(index: number, { names, minutesAgo }: LargeFleetParts): HostRow {
  const own = names.filter((_, column) => names.length < 5 || (index * 7 + column * 3) % 5 !== 0)
  const state = largeState(index)
  const worst = index % own.length
  const cells = own.map((name, column): CellView => {
    const isWorst = column === worst && (state === 'drift' || state === 'pending' || state === 'failed')
    return {
      service: name,
      state: isWorst ? state : 'in-sync',
      facts: isWorst ? [state] : [],
      findings: isWorst && state === 'drift' ? 1 : 0,
      pending: isWorst && state === 'pending' ? 2 : 0,
    }
  })
  const isOffline = state === 'offline'
  return {
    host: host(`node-${index + 1}.dc${(index % 3) + 1}`),
    state,
    revision: revision('a41f9c2'),
    lastSeenAt: minutesAgo(isOffline ? 140 : 0.2),
    ...(isOffline && { staleSince: minutesAgo(140) }),
    connected: !isOffline,
    cells,
  }
}

function largeState(index: number): 'failed' | 'drift' | 'pending' | 'offline' | 'in-sync' {
  if (index % 97 === 4) return 'failed'
  if (index % 41 === 2) return 'drift'
  if (index % 67 === 9) return 'pending'
  return index % 89 === 5 ? 'offline' : 'in-sync'
}

type LargeAlertParts = { readonly index: number; readonly minutesAgo: MinutesAgo }

function largeAlert(row: HostRow, { index, minutesAgo }: LargeAlertParts): readonly AlertView[] {
  const about = { id: 1000 + index, host: row.host, openedAt: minutesAgo(12 + index) }
  const drifted = row.cells.find((cell) => cell.state === row.state)?.service ?? 'a service'
  const text = 'What it is about stands on the page of the host.'
  switch (row.state) {
    case 'failed':
      return [
        {
          ...about,
          kind: 'apply-failed',
          severity: 'critical',
          title: `${drifted} on ${row.host} was not applied`,
          text,
        },
      ]
    case 'drift':
      return [{ ...about, kind: 'drift', severity: 'critical', title: `${drifted} on ${row.host} has drifted`, text }]
    case 'offline':
      return [{ ...about, kind: 'host-offline', severity: 'warning', title: `${row.host} is offline`, text }]
    default:
      return []
  }
}

function largeHostParts(small: FixtureFleet, minutesAgo: MinutesAgo): HostParts {
  const [head, base] = small.services[0]?.history ?? []
  const finding = small.drifts[0]?.finding
  if (head === undefined || base === undefined || finding === undefined)
    throw new Error('the example fleet lost its history')
  return { minutesAgo, head, base, finding, alerts: [] }
}

const serviceStems = ['base', 'nginx', 'postgres-backup', 'node-exporter', 'wireguard', 'chrony', 'loki']
