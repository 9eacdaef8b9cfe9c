// Alerts: one line each where they are a pointer, a card with the diff folded where they are the subject.
import type { AlertView } from '../../show/views.ts'
import { visibleText } from '../visible-text.ts'
import { Diff } from './diff.tsx'
import { hostLink, hostServiceLink, serviceLink } from './links.ts'
import { When } from './when.tsx'

const diffLinesInAlert = 400

export function AlertLines({ alerts }: { readonly alerts: readonly AlertView[] }) {
  return (
    <ul class="alert-lines">
      {alerts.map((alert) => (
        <li>
          <AlertMark alert={alert} />
          <a href={`/alerts#alert-${alert.id}`}>{visibleText(alert.title)}</a>
          <span class="by">
            <When at={alert.openedAt} />
          </span>
        </li>
      ))}
    </ul>
  )
}

export function AlertCard({ alert }: { readonly alert: AlertView }) {
  return (
    <article
      class={`alert-card ${alert.resolvedAt === undefined ? 'is-open' : 'is-resolved'}`}
      id={`alert-${alert.id}`}
    >
      <header>
        <AlertMark alert={alert} />
        <h3>{visibleText(alert.title)}</h3>
      </header>
      {alert.text !== '' && <p class="text">{visibleText(alert.text)}</p>}
      <p class="by">
        <span>{alert.kind.replaceAll('-', ' ')}</span>
        <AlertPlace alert={alert} />
        <span>
          opened <When at={alert.openedAt} exact />
        </span>
        {alert.resolvedAt !== undefined && (
          <span>
            resolved <When at={alert.resolvedAt} exact />
          </span>
        )}
      </p>
      {alert.diff !== undefined && (
        <details id={`alert-${alert.id}-diff`}>
          <summary>Diff</summary>
          <Diff diff={alert.diff} label={`Diff of ${alert.title}`} limit={diffLinesInAlert} />
        </details>
      )}
    </article>
  )
}

function AlertMark({ alert }: { readonly alert: AlertView }) {
  if (alert.resolvedAt !== undefined) return <span class="severity is-resolved">resolved</span>
  return <span class={`severity is-${alert.severity}`}>{alert.severity}</span>
}

function AlertPlace({ alert }: { readonly alert: AlertView }) {
  const { host, service } = alert
  return (
    <>
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
