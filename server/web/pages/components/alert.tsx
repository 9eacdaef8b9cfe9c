// Alerts: one line each where they are a pointer, a card with the diff folded where they are the subject.
import { alertEndText } from '../../../alert-end.ts'
import type { AlertView } from '../../../show/views.ts'
import type { ShownAlert } from '../alert-limits.ts'
import { visibleText } from '../visible-text.ts'
import { Diff } from './diff.tsx'
import { alertLink, hostLink, hostServiceLink, serviceLink } from './links.ts'
import { When } from './when.tsx'

const diffLinesInAlert = 400

export function AlertLines({ alerts }: { readonly alerts: readonly AlertView[] }) {
  return (
    <ul class="alert-lines">
      {alerts.map((alert) => (
        <li>
          <AlertMark alert={alert} />
          <a href={alertLink(alert.id)}>{visibleText(alert.title)}</a>
          <span class="by">
            <When at={alert.openedAt} />
          </span>
        </li>
      ))}
    </ul>
  )
}

export function AlertCard({ alert }: { readonly alert: ShownAlert }) {
  return (
    <article class={alert.resolvedAt === undefined ? 'alert-card' : 'alert-card is-resolved'} id={`alert-${alert.id}`}>
      {alert.members?.slice(1).map((id) => (
        <span id={`alert-${id}`} />
      ))}
      <header>
        <AlertMark alert={alert} />
        <h3>{visibleText(alert.title)}</h3>
      </header>
      {alert.hosts !== undefined && <p class="by">As on the host where it began last:</p>}
      {alert.text !== '' && <p class="text">{visibleText(alert.text)}</p>}
      <p class="by">
        <span>{alert.kind.replaceAll('-', ' ')}</span>
        <AlertPlace alert={alert} />
        <span>
          opened <When at={alert.openedAt} exact />
        </span>
        {alert.resolvedAt !== undefined && (
          <span>
            {endWord(alert)} <When at={alert.resolvedAt} exact />
            {endText(alert)}
          </span>
        )}
      </p>
      {alert.diff !== undefined && (
        <details id={`alert-${alert.id}-diff`}>
          <summary>Diff</summary>
          <Diff diff={alert.diff} label={`Diff of ${alert.title}`} limit={diffLinesInAlert} />
        </details>
      )}
      {alert.diffLeftOut && (
        <p class="more">Its diff is not shown beside so many others: it is on the page of the finding.</p>
      )}
    </article>
  )
}

/** What is still true was not resolved. */
function endWord({ end, kind }: AlertView): string {
  return alertEndText(end, kind) === undefined ? 'resolved' : 'ended'
}

function endText({ end, kind }: AlertView): string {
  const why = alertEndText(end, kind)
  return why === undefined ? '' : `: ${why}`
}

function AlertMark({ alert }: { readonly alert: AlertView }) {
  if (alert.resolvedAt !== undefined) return <span class="severity is-resolved">{endWord(alert)}</span>
  return <span class={`severity is-${alert.severity}`}>{alert.severity}</span>
}

function AlertPlace({ alert }: { readonly alert: AlertView }) {
  const { host, hosts = [], service } = alert
  return (
    <>
      {hosts.length > 0 && <AlertHosts hosts={hosts} service={service} />}
      {host !== undefined && (
        <span>
          host <a href={service === undefined ? hostLink(host) : hostServiceLink(host, service)}>{host}</a>
        </span>
      )}
      {service !== undefined && (
        <span>
          service <a href={serviceLink(service)}>{service}</a>
        </span>
      )}
    </>
  )
}

const hostsNamed = 20

function AlertHosts({ hosts, service }: { readonly hosts: readonly string[]; readonly service: string | undefined }) {
  const rest = hosts.length - hostsNamed
  return (
    <span>
      hosts{' '}
      {hosts.slice(0, hostsNamed).map((host, index) => (
        <>
          {index > 0 && ', '}
          <a href={service === undefined ? hostLink(host) : hostServiceLink(host, service)}>{host}</a>
        </>
      ))}
      {rest > 0 && ` and ${rest} more`}
    </span>
  )
}
