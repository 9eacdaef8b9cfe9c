// Holds: who wants what left alone, why and until when; and for the operator, the forms to make and end one.
import type { Hold } from '../../../../shared/report.ts'
import { releaseCommands } from '../../../../shared/ways-out.ts'
import type { HoldHostView, HoldView } from '../../../show/views.ts'
import { visibleText } from '../visible-text.ts'
import { commandsOnHost, useSandbox } from './host-commands.ts'
import { hostLink, releaseLink } from './links.ts'
import { When } from './when.tsx'

/** As the host keeps it, and how it is ended. */
export function HeldPart({ host, service, hold, operator }: HeldProps) {
  const sandbox = useSandbox(host)
  return (
    <div class="part is-held">
      <p class="what">
        <b>Held</b> by {visibleText(hold.by)}, ends <When at={hold.until} exact />
        {hold.since !== undefined && (
          <span class="by">
            {' '}
            · made <When at={hold.since} />
          </span>
        )}
      </p>
      <p>{visibleText(hold.why)}</p>
      {hold.origin === 'server' && hold.id !== undefined
        ? operator && <ReleaseButton id={hold.id} host={host} />
        : hold.origin === 'host' && (
            <p class="by">
              Made on the host, and ended there:{' '}
              <code>{commandsOnHost(releaseCommands(service, hold), sandbox).join('; ')}</code>
            </p>
          )}
    </div>
  )
}

type HeldProps = {
  readonly host: string
  readonly service: string
  readonly hold: Hold
  readonly operator: boolean
}

/** Asked for here, and not kept there. */
export function AskedPart({ host, hold, operator }: Omit<HeldProps, 'hold' | 'service'> & { readonly hold: HoldView }) {
  const released = hold.hosts.find((one) => one.host === host && one.state === 'released')
  return (
    <div class="part is-held">
      <p class="what">
        {released === undefined ? (
          <>
            <b>Hold asked for</b> by {visibleText(hold.by)}, ends <When at={hold.until} exact />: the host has not said
            yet that it keeps it
          </>
        ) : (
          <>
            <b>Released</b> on the host by {visibleText(released.releasedBy ?? '')}; the server’s hold for{' '}
            {visibleText(hold.by)} ends <When at={hold.until} exact />
          </>
        )}
      </p>
      <p>{visibleText(hold.why)}</p>
      {operator && hold.id !== undefined && released === undefined && <ReleaseButton id={hold.id} host={host} />}
    </div>
  )
}

function ReleaseButton({ id, host }: { readonly id: string; readonly host?: string }) {
  return (
    <form method="post" action={releaseLink(host)}>
      <input type="hidden" name="id" value={id} />
      <button type="submit">Release{host !== undefined && ` on ${host}`}</button>
    </form>
  )
}

const lengths = {
  '30m': '30 minutes',
  '2h': '2 hours',
  '8h': '8 hours',
  '1d': '1 day',
  '3d': '3 days',
  '14d': '14 days',
}

/** Folded: one is seldom needed, and there may be thirty services. */
export function HoldForm({ host, service }: { readonly host: string; readonly service: string }) {
  const id = `hold-${encodeURIComponent(service)}`
  return (
    <details class="hold-it" id={id}>
      <summary>
        Hold<span class="unseen"> {service}</span>
      </summary>
      <form method="post" action={`${hostLink(host)}/hold`}>
        <input type="hidden" name="service" value={service} />
        <label for={`${id}-for`}>for</label>
        <select id={`${id}-for`} name="for">
          {Object.entries(lengths).map(([value, text]) => (
            <option value={value} selected={value === '2h'}>
              {text}
            </option>
          ))}
        </select>
        <label for={`${id}-why`}>because</label>
        <input
          id={`${id}-why`}
          name="why"
          required
          maxlength={500}
          autocomplete="off"
          placeholder="what is being done"
        />
        <button type="submit" class="primary">
          Hold this service
        </button>
        <p class="by">
          No apply, no repair and no drift alert of it on {host} until then; drift is still found and shown.
        </p>
      </form>
    </details>
  )
}

export function HoldLines({ holds, operator }: { readonly holds: readonly HoldView[]; readonly operator: boolean }) {
  return (
    <ul class="hold-lines">
      {holds.map((hold) => (
        <li>
          <span class="state is-held">{hold.services.map(targetName).join(', ')}</span>
          <span>
            by {visibleText(hold.by)}, ends <When at={hold.until} exact />: {visibleText(hold.why)}
            <span class="by">
              {' '}
              <HoldPlaces hold={hold} />
            </span>
          </span>
          {operator && hold.id !== undefined && <ReleaseButton id={hold.id} />}
        </li>
      ))}
    </ul>
  )
}

/** `on 12 of 13 hosts named web-*; not yet on web-7`; a few are named. */
function HoldPlaces({ hold: { hosts, patterns } }: { readonly hold: HoldView }) {
  const [only, ...others] = hosts
  if (only === undefined) return <>on no host</>
  const kept = hosts.filter(({ state }) => state === 'in-force')
  const asked = hosts.filter(({ state }) => state === 'asked')
  const released = hosts.filter(({ state }) => state === 'released')
  const isWhole = others.length === 0 && kept.length === 1
  return (
    <>
      on{' '}
      {isWhole ? (
        <a href={hostLink(only.host)}>{only.host}</a>
      ) : (
        `${kept.length} of ${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'}`
      )}
      {patterns !== undefined && !isWhole && ` named ${patterns.join(' or ')}`}
      {asked.length > 0 && <Named lead="not yet on" hosts={asked} />}
      {released.length > 0 && <Named lead="released on" hosts={released} />}
    </>
  )
}

const hostsNamed = 5

function Named({ lead, hosts }: { readonly lead: string; readonly hosts: readonly HoldHostView[] }) {
  const rest = hosts.length - hostsNamed
  return (
    <>
      ; {lead}{' '}
      {hosts.slice(0, hostsNamed).map(({ host, releasedBy }, index) => (
        <>
          {index > 0 && ', '}
          <a href={hostLink(host)}>{host}</a>
          {releasedBy !== undefined && ` by ${visibleText(releasedBy)}`}
        </>
      ))}
      {rest > 0 && ` and ${rest} more`}
    </>
  )
}

function targetName(target: string): string {
  return target === '*' ? 'all services' : target
}
