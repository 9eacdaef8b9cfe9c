// `/alerts`: what a person must know of now, then what was resolved lately.
import type { AlertView } from '../show/views.ts'
import { AlertCard } from './components/alert.tsx'
import { Empty } from './components/empty.tsx'

export function AlertsPage({ alerts }: { readonly alerts: readonly AlertView[] }) {
  const open = alerts.filter((alert) => alert.resolvedAt === undefined)
  const resolved = alerts.filter((alert) => alert.resolvedAt !== undefined)
  return (
    <>
      <div class="heading">
        <h1>Alerts</h1>
        <span class="by">{open.length === 0 ? 'none open' : `${open.length} open`}</span>
      </div>
      {open.length === 0 ? (
        <Empty title="No open alert.">
          <p>
            One opens when a host drifts, an apply fails or a host falls silent, and is resolved when its cause is gone.
          </p>
        </Empty>
      ) : (
        <section class="alerts" aria-label="Open alerts">
          {open.map((alert) => (
            <AlertCard alert={alert} />
          ))}
        </section>
      )}
      {resolved.length > 0 && (
        <section class="alerts" aria-labelledby="resolved">
          <h2 id="resolved">Resolved</h2>
          {resolved.map((alert) => (
            <AlertCard alert={alert} />
          ))}
        </section>
      )}
    </>
  )
}
