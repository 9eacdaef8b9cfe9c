// View of one drifted resource, with the commit that was applied and the one that is pending.
import { compact } from '../../shared/compact.ts'
import type { HostName, Revision } from '../../shared/names.ts'
import { factsOf } from '../../shared/report.ts'
import { waysOut } from '../../shared/ways-out.ts'
import { listOpenAlerts } from '../store/alerts.ts'
import { findHost } from '../store/hosts.ts'
import { findFinding, listServiceStates } from '../store/service-states.ts'
import { cellOf, factsThere, hostRow, isElsewhere, offlineHosts } from './host-rows.ts'
import type { ViewParts } from './view-parts.ts'
import type { CommitView, DriftView } from './views.ts'

export async function driftView(parts: ViewParts, host: HostName, resource: string): Promise<DriftView | undefined> {
  const { db } = parts
  const found = await findFinding(db, host, resource)
  if (found === undefined) return undefined
  const { service, finding, firstSeenAt: since } = found
  const [enrolled, [state], alerts] = await Promise.all([
    findHost(db, host),
    listServiceStates(db, { hosts: [host], service }),
    listOpenAlerts(db, [`host:${host}`]),
  ])
  const offline = offlineHosts(alerts).has(host)
  const cells = state === undefined ? [] : [cellOf(state)]
  const row = hostRow(parts, host, { enrolled, cells, offline, isElsewhere: await isElsewhere(parts, enrolled) })
  const report = state?.report ?? { service, findings: [finding], pending: [] }
  const { applied, appliedAt, hold, failure, unknown } = report
  const { revision, staleSince, connected, clockAheadSeconds } = row
  const pending = report.pending.find((one) => one.resource === finding.resource)
  const [why, commit] = await Promise.all([
    commitBehind(parts, finding.source, pending === undefined ? [applied, revision] : [applied]),
    pending && commitBehind(parts, pending.source ?? finding.source, [revision]),
  ])
  return {
    ...{ host, service, finding, since },
    connected,
    facts: factsThere(factsOf(report), row.elsewhere === true).facts,
    holdsSecrets: await namesSecrets(parts, finding.source, revision),
    waysOut: waysOut({ ...report, revision }, [finding]),
    ...compact({ revision, staleSince, clockAheadSeconds, applied, appliedAt, hold, failure, unknown, why }),
    ...(pending === undefined ? {} : { pending: { summary: pending.summary, ...compact({ commit }) } }),
  }
}

/** The last commit to a file, as of the first of the revisions that the clone has. */
async function commitBehind(
  { clone }: ViewParts,
  source: string | undefined,
  revisions: readonly (Revision | undefined)[],
): Promise<CommitView | undefined> {
  for (const revision of revisions) {
    if (source === undefined || revision === undefined || (await clone.commit(revision)) === undefined) continue
    return (await clone.lastCommits(revision, '')).get(source)
  }
  return undefined
}

/**
 * A file that only looks like a template counts as one: its finding is then adopted on the host, which always works.
 */
async function namesSecrets(parts: ViewParts, file: string | undefined, revision: Revision | undefined) {
  const at = await nearest(parts, revision)
  const text = file === undefined || at === undefined ? undefined : await parts.clone.readText(at.revision, file)
  return text !== undefined && /\$\{\{\s*secrets\./.test(text)
}

async function nearest({ source, clone }: ViewParts, revision: Revision | undefined): Promise<CommitView | undefined> {
  return (revision === undefined ? undefined : await clone.commit(revision)) ?? source.state().head
}
