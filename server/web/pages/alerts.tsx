// `/alerts`: what a person must know of now, then what was resolved lately.
import type { AlertView } from '../../show/views.ts'
import { type AskedAlerts, alertsToShow, isAlert } from './alert-limits.ts'
import { AlertCard } from './components/alert.tsx'
import { Empty } from './components/empty.tsx'
import { FirstOf } from './components/first-of.tsx'

type AlertsProps = { readonly alerts: readonly AlertView[]; readonly asked: AskedAlerts }

export function AlertsPage({ alerts, asked }: AlertsProps) {
  const open = alerts.filter((alert) => alert.resolvedAt === undefined)
  const shown = alertsToShow(open, asked)
  const resolved = alertsToShow(
    alerts.filter((alert) => alert.resolvedAt !== undefined),
    asked,
  )
  const isGone = asked.alert !== undefined && !alerts.some((alert) => isAlert(alert, asked.alert))
  return (
    <>
      <div class="heading">
        <h1>Alerts</h1>
        <span class="by">{open.length === 0 ? 'none open' : `${open.length} open`}</span>
      </div>
      {isGone && <p class="lead">Alert {asked.alert} is neither open nor among those that were resolved last.</p>}
      {open.length === 0 ? (
        <Empty title="No open alert.">
          <p>
            One opens when a host drifts, an apply fails or a host goes offline, and is resolved when its cause is gone.
          </p>
        </Empty>
      ) : (
        <section aria-labelledby="open">
          <h2 id="open">Open</h2>
          {shown.map((alert) => (
            <AlertCard alert={alert} />
          ))}
          <FirstOf shown={shown.length} of={open.length} what="open alerts" all="/alerts?show=all" />
        </section>
      )}
      {resolved.length > 0 && (
        <section aria-labelledby="resolved">
          <h2 id="resolved">Resolved</h2>
          {resolved.map((alert) => (
            <AlertCard alert={alert} />
          ))}
        </section>
      )}
    </>
  )
}
