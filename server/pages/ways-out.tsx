// The ways out of one finding, as commands to copy: put it back, or keep it - by `plumb adopt` where that can carry it, else by an own commit.
import {
  adoptTarget,
  fileBehind,
  hostAlone,
  isAdoptableFinding,
  isFault,
  touchesSecret,
} from '../../shared/adoptable.ts'
import type { DriftView } from '../show/views.ts'
import { Command } from './components/command.tsx'
import { shellWord } from './visible-text.ts'

/** How `plumb adopt` reaches this server from elsewhere. */
export type OwnAddress = { readonly url: string; readonly selfSigned: boolean }

type WaysOutProps = { readonly drift: DriftView; readonly server: OwnAddress }

export function WaysOut({ drift, server }: WaysOutProps) {
  const { finding, host } = drift
  const isAdopted = isAdoptableFinding(finding)
  const mayHoldSecret = touchesSecret(finding)
  return (
    <section class="panel" aria-labelledby="ways-out">
      <h2 id="ways-out">Ways out</h2>
      <Command id="put-it-back" text="sudo plumb apply">
        <b>Put it back</b>: on {host}
      </Command>
      {isAdopted && (
        <Command id="keep-it" text={`sudo plumb adopt ${targetOf(drift)}`}>
          <b>Keep it</b>: on {host}, as yourself. It asks why, and commits on a new branch
        </Command>
      )}
      {isAdopted && isReported(drift) && <KeepFromClone drift={drift} server={server} />}
      {isAdopted && mayHoldSecret && (
        <p class="by">A line that changed holds a secret: what is in it is not adopted.</p>
      )}
      {(isAdopted ? mayHoldSecret : !isFault(finding)) && (
        <Command id="keep-by-hand" text={ownCommit(drift)}>
          {isAdopted ? 'Or by hand' : <b>Keep it</b>}: in a clone of the repository
        </Command>
      )}
    </section>
  )
}

function KeepFromClone({ drift, server }: WaysOutProps) {
  const { host } = drift
  return (
    <>
      <Command
        id="keep-it-from-clone"
        text={`plumb adopt ${targetOf(drift)} --host ${shellWord(host)} --server ${shellWord(server.url)}`}
      >
        Or elsewhere, in a clone of the repository
      </Command>
      <p class="by">
        The operator token comes from <code>PLUMB_TOKEN</code>
        {server.selfSigned && (
          <>
            , this server’s certificate from <code>--certificate FILE</code>
          </>
        )}
        .
      </p>
    </>
  )
}

function targetOf({ service, finding }: DriftView): string {
  return shellWord(adoptTarget(service, finding))
}

/** The report and a clone say together what is live. */
function isReported({ finding, holdsSecrets }: DriftView): boolean {
  return !holdsSecrets && !touchesSecret(finding) && hostAlone(finding) === undefined
}

/** The file may be new: it is added before it is named. */
function ownCommit({ service, finding }: DriftView): string {
  const file = shellWord(fileBehind(service, finding))
  return [
    `$EDITOR ${file}`,
    `git add -- ${file}`,
    `git commit -m ${shellWord(`${service}: say why`)} -- ${file}`,
    'git push',
  ].join('\n')
}
