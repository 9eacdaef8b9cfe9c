// The ways out of one finding, as commands to copy, in the order and with the words of shared/ways-out.ts.
import { adoptTarget, hostAlone, touchesSecret } from '../../../shared/adoptable.ts'
import { problemLine } from '../../../shared/problem.ts'
import type { Commands, Refusal, WayOut } from '../../../shared/ways-out.ts'
import { alreadyText, commandText, failedRunWayOut, notCommitted, obstacleText } from '../../../shared/ways-out-text.ts'
import type { DriftView } from '../../show/views.ts'
import { Command } from './components/command.tsx'
import { commandsOnHost, useSandbox } from './components/host-commands.ts'
import { shellWord, visibleText } from './visible-text.ts'

/** How `plumb adopt` reaches this server from elsewhere. */
export type OwnAddress = { readonly url: string; readonly selfSigned: boolean }

type WaysOutProps = { readonly drift: DriftView; readonly server: OwnAddress }

export function WaysOut({ drift, server }: WaysOutProps) {
  const sandbox = useSandbox(drift.host)
  return (
    <section class="panel" aria-labelledby="ways-out">
      <h2 id="ways-out">Ways out</h2>
      {drift.waysOut.map((way) => (
        <OneWay way={way} drift={drift} server={server} />
      ))}
      {sandbox !== undefined && drift.waysOut.some(isOnHost) && (
        <p class="by">
          {drift.host} is a directory of this machine, <code>{sandbox.root}</code>: the commands name it, and need no
          root.
        </p>
      )}
      {sandbox === undefined && drift.waysOut.some(isOnHost) && (
        <p class="by">
          As root, or where there is no <code>sudo</code>: without the <code>sudo</code>.
        </p>
      )}
    </section>
  )
}

function OneWay({ way, drift, server }: WaysOutProps & { readonly way: WayOut }) {
  const { host, service } = drift
  const sandbox = useSandbox(host)
  const onHost = (commands: Commands) => commandsOnHost(commands, sandbox).join('\n')
  switch (way.kind) {
    case 'release':
      return (
        <Command id="end-hold" text={onHost(way.commands)}>
          <b>End the hold</b> of {way.service}: on {host}
        </Command>
      )
    case 'failing':
    case 'unchecked':
    case 'removal':
    case 'unsafe-link':
      return <p class="obstacle">{visibleText(obstacleText(way))}.</p>
    case 'adopt':
      return (
        <>
          <Command id="keep-it" text={onHost(way.commands)}>
            <b>Keep it</b>: on {host}, as yourself. It asks why - and who you are, where git there does not know - and
            commits on a new branch
          </Command>
          {isReported(drift) && <KeepFromClone drift={drift} server={server} />}
        </>
      )
    case 'commit':
      return (
        <>
          <Command id="keep-by-hand" text={ownCommit(service, way.files)}>
            <b>Keep it</b>: in a clone of the repository
          </Command>
          <Refusals refused={way.refused} />
          {isForWantOfGit(way.refused) && isReported(drift) && <KeepFromClone drift={drift} server={server} />}
        </>
      )
    case 'secret':
      return (
        <>
          <p>
            <b>Keep it</b>: {notCommitted}
          </p>
          <Refusals refused={way.refused} />
        </>
      )
    case 'already':
      return <p>{alreadyText}.</p>
    case 'apply':
      return (
        <Command id="apply" text={onHost(way.commands)}>
          <b>{effects[way.effect]}</b>: on {host}
        </Command>
      )
    case 'next-run':
      return <p>{failedRunWayOut}</p>
  }
}

const effects = {
  repair: 'Repair it',
  overwrite: 'Have what the revision says instead',
  apply: 'Apply it now',
} as const

function Refusals({ refused }: { readonly refused: readonly Refusal[] }) {
  if (refused.length === 0) return null
  return (
    <ul class="refusals">
      {refused.map(({ problem }) => (
        <li class="by">
          <code>plumb adopt</code> would refuse it: {visibleText(problemLine(problem))}
        </li>
      ))}
    </ul>
  )
}

function KeepFromClone({ drift, server }: WaysOutProps) {
  const { host, service, finding } = drift
  const plumb = useSandbox(host)?.plumb ?? 'plumb'
  const command = [plumb, 'adopt', adoptTarget(service, finding), '--host', host, '--server', server.url]
  return (
    <>
      <Command id="keep-it-from-clone" text={commandText(command)}>
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

/** Nothing but the host itself keeps adopt from it. */
function isForWantOfGit(refused: readonly Refusal[]): boolean {
  return refused.length > 0 && refused.every(({ problem }) => problem.code === 'git-missing')
}

function isOnHost(way: WayOut): boolean {
  return way.kind === 'release' || way.kind === 'adopt' || way.kind === 'apply'
}

/** The report and a clone say together what is live. */
function isReported({ finding, holdsSecrets }: DriftView): boolean {
  return !holdsSecrets && !touchesSecret(finding) && hostAlone(finding) === undefined
}

/** A file may be new: it is added before it is named. */
function ownCommit(service: string, sources: readonly string[]): string {
  const files = sources.map(shellWord).join(' ')
  return [
    `$EDITOR ${files}`,
    `git add -- ${files}`,
    `git commit -m ${shellWord(`${service}: say why`)} -- ${files}`,
    'git push',
  ].join('\n')
}
