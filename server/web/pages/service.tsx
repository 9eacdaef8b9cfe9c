// `/services/:service`: its README, where it runs and in which state, each managed path with the commit behind it.
import { raw } from 'hono/html'
import type { ServiceView } from '../../show/views.ts'
import { AlertLines } from './components/alert.tsx'
import { CommitLine, RevisionCode } from './components/commit.tsx'
import { Empty } from './components/empty.tsx'
import { FirstOf } from './components/first-of.tsx'
import { hostServiceLink, serviceLink, whyLink } from './components/links.ts'
import { States, states } from './components/state.tsx'
import { When } from './components/when.tsx'
import { visibleText } from './visible-text.ts'

const hostsShown = 200
const pathsShown = 500

type ServiceProps = { readonly service: ServiceView; readonly showAll: boolean }

export function ServicePage({ service, showAll }: ServiceProps) {
  const open = service.alerts.filter((alert) => alert.resolvedAt === undefined)
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/">Fleet</a>
      </nav>
      <div class="heading">
        <h1>{service.service}</h1>
        <span class="by">{verdictOf(service)}</span>
      </div>
      {open.length > 0 && (
        <section class="panel" aria-labelledby="alerts">
          <h2 id="alerts">Open alerts</h2>
          <AlertLines alerts={open} />
        </section>
      )}
      <div class="columns service-parts">
        <div>
          <ServiceHosts service={service} showAll={showAll} />
          <ServicePaths service={service} showAll={showAll} />
          <ServiceHistory service={service} />
        </div>
        <section class="panel" aria-label="README">
          <p class="label">README.md</p>
          {service.readmeHtml === '' ? (
            <p class="by">There is none at the head of the branch.</p>
          ) : (
            <div class="prose">{raw(service.readmeHtml)}</div>
          )}
        </section>
      </div>
    </>
  )
}

function verdictOf(service: ServiceView): string {
  const inSync = service.hosts.filter((host) => host.state === 'in-sync')
  const stale = inSync.filter((host) => host.staleSince !== undefined).length
  const hosts = `${service.hosts.length} ${service.hosts.length === 1 ? 'host' : 'hosts'}`
  const verdict = `in sync on ${inSync.length - stale} of ${hosts}`
  return stale === 0 ? verdict : `${verdict}, and was on ${stale} more when last heard of`
}

function ServiceHosts({ service, showAll }: ServiceProps) {
  const byUrgency = service.hosts.toSorted((one, other) => states.indexOf(one.state) - states.indexOf(other.state))
  const shown = showAll ? byUrgency : byUrgency.slice(0, hostsShown)
  return (
    <section aria-labelledby="hosts">
      <h2 id="hosts">Hosts</h2>
      {service.hosts.length === 0 ? (
        <Empty title="No host has this service.">
          <p>
            List it under <code>hosts</code> or <code>groups</code> in plumb.yaml, commit and push.
          </p>
        </Empty>
      ) : (
        <ul class="host-list">
          {shown.map((host) => (
            <li>
              <a href={hostServiceLink(host.host, service.service)}>{host.host}</a>
              <States state={host.state} facts={host.facts} was={host.staleSince !== undefined} />
              {host.applied !== undefined && <RevisionCode revision={host.applied} />}
              {host.staleSince !== undefined && (
                <span class="by">
                  Not current: as of <When at={host.staleSince} exact />.
                </span>
              )}
              {host.hold !== undefined && (
                <span class="by">
                  by {visibleText(host.hold.by)}, ends <When at={host.hold.until} />: {visibleText(host.hold.why)}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      <FirstOf shown={shown.length} of={service.hosts.length} what="hosts" all={allLink(service)} />
    </section>
  )
}

function allLink({ service }: ServiceView): string {
  return `${serviceLink(service)}?show=all`
}

function ServicePaths({ service, showAll }: ServiceProps) {
  const { paths, service: name } = service
  const shown = showAll ? paths : paths.slice(0, pathsShown)
  return (
    <section aria-labelledby="paths">
      <h2 id="paths">Managed paths</h2>
      {paths.length === 0 ? (
        <Empty title="No managed path.">
          <p>
            What is put under <code>services/{name}/files/</code> goes to the same place under <code>/</code>.
          </p>
        </Empty>
      ) : (
        <ul class="paths">
          {shown.map((path) => (
            <li>
              <a href={whyLink(path.source)}>
                <code title={visibleText(path.source)}>{visibleText(path.path)}</code>
              </a>
              {path.why === undefined ? <span class="by">not in a commit yet</span> : <CommitLine commit={path.why} />}
            </li>
          ))}
        </ul>
      )}
      <FirstOf shown={shown.length} of={paths.length} what="paths" all={allLink(service)} />
    </section>
  )
}

function ServiceHistory({ service }: { readonly service: ServiceView }) {
  if (service.history.length === 0) return null
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      <ul class="history">
        {service.history.map((commit) => (
          <li>
            <CommitLine commit={commit} />
          </li>
        ))}
      </ul>
    </section>
  )
}
