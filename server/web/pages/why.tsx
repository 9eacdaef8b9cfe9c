// `/why?path=...&host=...`: why a path is as it is - the commit behind it and behind each of its lines; and with a host, what
// happened to it there.
import { useContext } from 'hono/jsx'
import { resourceEventText } from '../../../shared/resource-event-text.ts'
import type { OnHost } from '../../../shared/why.ts'
import type { PathView, ServiceView } from '../../show/views.ts'
import { BlameLines } from './components/blame.tsx'
import { Command } from './components/command.tsx'
import { CommitCard, CommitLine, RevisionCode } from './components/commit.tsx'
import { countText, FirstOf } from './components/first-of.tsx'
import { commandsOnHost, Sandboxes, useSandbox } from './components/host-commands.ts'
import { driftLink, hostLink, hostServiceLink, serviceLink, whyLink } from './components/links.ts'
import { ResourceName } from './components/resource.tsx'
import { State } from './components/state.tsx'
import { When } from './components/when.tsx'
import { visibleText } from './visible-text.ts'

const linesShown = 5000

type WhyProps = {
  readonly view: PathView
  readonly host: string | undefined
  /** Of the repository's file, when a service has it. */
  readonly service: ServiceView | undefined
}

export function WhyPage({ view, host, service }: WhyProps) {
  const { path, source, why, removed, blame, onHost } = view
  const commit = removed ?? why
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/">Fleet</a>
        {host !== undefined && <a href={hostLink(host)}>{host}</a>}
        {service !== undefined && (
          <a href={host === undefined ? serviceLink(service.service) : hostServiceLink(host, service.service)}>
            {service.service}
          </a>
        )}
      </nav>
      <div class="heading">
        <h1>
          <code>{visibleText(path)}</code>
        </h1>
        {onHost !== undefined && onHost.drift.length > 0 && <State state="drift" />}
      </div>
      {source !== path && (
        <p class="lead by">
          in the repository <code>{visibleText(source)}</code>
        </p>
      )}
      <div class="columns is-wide-left">
        <div>
          <section class="panel" aria-labelledby="last-commit">
            <h2 id="last-commit">{removed === undefined ? 'The last commit' : 'Removed from the repository by'}</h2>
            {commit === undefined ? <p class="by">It is not in a commit yet.</p> : <CommitCard commit={commit} />}
          </section>
          <section aria-labelledby="lines">
            <h2 id="lines">Line by line</h2>
            {blame === undefined ? (
              <p class="by">It is no file with lines.</p>
            ) : (
              <BlameLines blame={blame} label={`Lines of ${source}`} limit={linesShown} />
            )}
          </section>
        </div>
        <aside>
          {host === undefined ? (
            <Hosts source={source} service={service} />
          ) : (
            <OnThisHost host={host} onHost={onHost} />
          )}
          <section class="panel" aria-labelledby="on-a-host">
            <h2 id="on-a-host">In a terminal</h2>
            <LiveLineCommand path={path} hosts={host === undefined ? hostsOf(service) : [host]} />
          </section>
        </aside>
      </div>
    </>
  )
}

function hostsOf(service: ServiceView | undefined): readonly string[] {
  return service?.hosts.map(({ host }) => host) ?? []
}

/** For the host of the page; of several, for one that is here. */
function LiveLineCommand({ path, hosts }: { readonly path: string; readonly hosts: readonly string[] }) {
  const sandboxes = useContext(Sandboxes)
  const host = hosts.length === 1 ? hosts[0] : hosts.find((name) => sandboxes.has(name))
  const commands = commandsOnHost([['plumb', 'why', `${path}:1`]], useSandbox(host))
  return (
    <Command id="why-command" text={commands.join('\n')}>
      On {host ?? 'a host'}, for a line of the live file
    </Command>
  )
}

function OnThisHost({ host, onHost }: { readonly host: string; readonly onHost: OnHost | undefined }) {
  if (onHost === undefined)
    return (
      <section class="panel" aria-labelledby="here">
        <h2 id="here">On {host}</h2>
        <p class="by">The host has not said anything of it yet.</p>
      </section>
    )
  return (
    <>
      <section class="panel" aria-labelledby="here">
        <h2 id="here">On {host}</h2>
        <HereNow onHost={onHost} />
      </section>
      <section class="panel" aria-labelledby="happened">
        <h2 id="happened">What happened to it there</h2>
        {onHost.events.length === 0 ? (
          <p class="by">Nothing since the server keeps it in mind.</p>
        ) : (
          <ol class="happened">
            {onHost.events.map((event) => (
              <li class={`is-${event.kind}`}>
                <When at={event.at} />
                <span>{visibleText(resourceEventText(event))}</span>
              </li>
            ))}
          </ol>
        )}
      </section>
    </>
  )
}

function HereNow({ onHost }: { readonly onHost: OnHost }) {
  const { host, service, applied, appliedAt, drift, hold } = onHost
  return (
    <ul class="here-now">
      <li>
        <a href={serviceLink(service)}>{service}</a>{' '}
        {applied === undefined ? (
          'was never applied'
        ) : (
          <>
            applied at <RevisionCode revision={applied} />
            {appliedAt !== undefined && (
              <>
                {' '}
                <When at={appliedAt} />
              </>
            )}
          </>
        )}
      </li>
      {drift.map(({ resource, since }) => (
        <li>
          <State state="drift" /> since <When at={since} />:{' '}
          <a href={driftLink(host, resource)}>
            <ResourceName resource={resource} />
          </a>
        </li>
      ))}
      {hold !== undefined && (
        <li>
          <State state="held" /> by {visibleText(hold.by)}, ends <When at={hold.until} />: {visibleText(hold.why)}
        </li>
      )}
    </ul>
  )
}

const hostsShown = 200

function Hosts({ source, service }: { readonly source: string; readonly service: ServiceView | undefined }) {
  if (service === undefined || service.hosts.length === 0) return null
  return (
    <section class="panel" aria-labelledby="on-hosts">
      <h2 id="on-hosts">What happened to it on</h2>
      <ul class="here-now">
        {service.hosts.slice(0, hostsShown).map(({ host, state, staleSince }) => (
          <li>
            <a href={whyLink(source, host)}>{host}</a> <State state={state} was={staleSince !== undefined} />
          </li>
        ))}
      </ul>
      {service.hosts.length > hostsShown && (
        <p class="more">
          All {countText(service.hosts.length)} hosts are on the page of{' '}
          <a href={serviceLink(service.service)}>{service.service}</a>.
        </p>
      )}
    </section>
  )
}

type ChoiceProps = {
  readonly asked: string
  readonly paths: readonly PathView[]
  readonly host: string | undefined
  readonly showAll: boolean
}

const pathsShown = 500

/** A directory, or a path that several services have. */
export function WhyChoice({ asked, paths, host, showAll }: ChoiceProps) {
  const shown = showAll ? paths : paths.slice(0, pathsShown)
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/">Fleet</a>
        {host !== undefined && <a href={hostLink(host)}>{host}</a>}
      </nav>
      <div class="heading">
        <h1>
          <code>{visibleText(asked)}</code>
        </h1>
        <span class="by">{paths.length === 1 ? '1 path' : `${paths.length} paths`}</span>
      </div>
      <ul class="paths">
        {shown.map(({ path, source, why }) => (
          <li>
            <a href={whyLink(source, host)}>
              <code>{visibleText(path)}</code>
            </a>
            {path !== source && <code class="by">{visibleText(source)}</code>}
            {why === undefined ? <span class="by">not in a commit yet</span> : <CommitLine commit={why} />}
          </li>
        ))}
      </ul>
      <FirstOf shown={shown.length} of={paths.length} what="paths" all={`${whyLink(asked, host)}&show=all`} />
    </>
  )
}
