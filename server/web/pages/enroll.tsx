// `/enroll`: a one-time token as one line to run on a bare machine.
import type { HostName } from '../../../shared/names.ts'
import type { Enrollment } from '../../agents/enroll.ts'
import { Command } from './components/command.tsx'
import { When } from './components/when.tsx'
import { shownForMinutes } from './enroll-lines.ts'

type EnrollFormProps = {
  /** Hosts that the repository names and nobody has enrolled. */
  readonly hosts: readonly HostName[]
  readonly chosen: string | undefined
  readonly plainHttp: boolean
  /** There is an agent that the line would install. */
  readonly hasAgent: boolean
  readonly refusal: string | undefined
}

export function EnrollForm({ hosts, chosen, plainHttp, hasAgent, refusal }: EnrollFormProps) {
  if (!hasAgent) return <NoAgent />
  return (
    <>
      <h1>Enroll a host</h1>
      {plainHttp && <PlainHttpWarning />}
      {refusal !== undefined && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
      <section class="panel narrow">
        {hosts.length === 0 && (
          <p>
            Every host that the repository names is enrolled. To add another, name it under <code>hosts</code> in
            plumb.yaml, commit and push; it then can be chosen here.
          </p>
        )}
        <form method="post" action="/enroll" class="fields">
          <label for="host">Host</label>
          <select id="host" name="host">
            {hosts.map((host) => (
              <option value={host} selected={host === chosen}>
                {host}
              </option>
            ))}
            <option value="">any host that is not enrolled yet</option>
          </select>
          <button type="submit" class="primary">
            Make the install line
          </button>
        </form>
        <p class="by">
          The line carries a token that enrolls one host, once, and soon expires. It never replaces a host.
        </p>
      </section>
    </>
  )
}

function NoAgent() {
  return (
    <>
      <h1>Enroll a host</h1>
      <p class="warning" role="note">
        <b>No agent is built on this server,</b> so an install line would find nothing to install. Run{' '}
        <code>npm run build</code> in the server’s checkout, then load this page again; the server needs no restart.
      </p>
    </>
  )
}

type EnrollLineProps = { readonly host: string; readonly enrollment: Pick<Enrollment, 'installLine' | 'expiresAt'> }

export function EnrollLine({ host, enrollment }: EnrollLineProps) {
  return (
    <>
      <h1>Enroll {host === '' ? 'a host' : host}</h1>
      {/http:\/\/(?!localhost|127\.)/.test(enrollment.installLine) && <PlainHttpWarning />}
      <section class="panel">
        <Command id="install-line" text={enrollment.installLine}>
          Run this on {host === '' ? 'the machine' : host}, as root or as someone who may <code>sudo</code>:
        </Command>
        <ul class="terms">
          <li>
            The token expires <When at={enrollment.expiresAt} exact />.
          </li>
          <li>It enrolls one host, once.</li>
          <li>Only this page shows it, for {shownForMinutes} minutes. Making another is free.</li>
        </ul>
        <p>
          The agent then takes its services from the repository and applies them; watch it on{' '}
          <a href="/">the fleet page</a>.
        </p>
      </section>
    </>
  )
}

function PlainHttpWarning() {
  return (
    <p class="warning" role="note">
      <b>Plain http.</b> Whoever sits between this server and the machine can read the token and change what the line
      installs. Use it on a network you trust, or give the server a certificate.
    </p>
  )
}
