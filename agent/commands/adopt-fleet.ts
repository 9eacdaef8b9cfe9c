// `plumb adopt PATH|SERVICE --host NAME --server URL`, in a clone on the operator's machine: the server has the findings, the clone what was
// applied, and both together what is live. What only the host knows - secrets, large and binary files - is adopted there.

import { resolve } from 'node:path'
import { z } from 'zod'
import { hostAlone } from '../../shared/adoptable.ts'
import { compact } from '../../shared/compact.ts'
import { findingSchema } from '../../shared/finding.ts'
import { hostNameSchema, type Revision, revisionSchema, serviceNameSchema } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { isOfKind } from '../../shared/resource.ts'
import { shellWord } from '../../shared/shell-word.ts'
import { adoptionOf, type Refused } from '../adopt/adoption.ts'
import type { Drifted } from '../adopt/drifted.ts'
import { type Git, gitIn } from '../adopt/git.ts'
import { liveFrom, onHost } from '../adopt/patched.ts'
import { inClone, remoteOf } from '../adopt/place.ts'
import { reaching } from '../adopt/reaching.ts'
import { appliedSource, type OpenRevision, openRevision } from '../adopt/revision.ts'
import { renderedText } from '../adopt/template.ts'
import type { Secrets } from '../desire/secrets.ts'
import { type Operator, operatorFrom } from '../host/operator.ts'
import { maskFor } from '../plan/mask.ts'
import { notAServer, requestServer } from '../report/request-server.ts'
import { certificateIn, serverUrl } from '../report/server-tls.ts'
import { pathInId } from '../resources/paths.ts'
import { createReader } from '../sync/reader.ts'
import { createSystemObjects } from '../sync/system-objects.ts'
import { createSystemGit } from '../sync/system-settings.ts'
import { carryOut } from './adopt-outcome.ts'
import type { AdoptOptions, Holding } from './adopt-words.ts'
import { usage } from './hold.ts'
import { tokenGiven } from './hold-fleet.ts'
import { pathOption } from './import-findings.ts'
import type { HostOptions } from './open.ts'
import type { Output } from './output.ts'

export type AdoptFleetOptions = AdoptOptions &
  HostOptions & { readonly server?: string; readonly certificate?: string; readonly tokenFile?: string }

const answerSchema = z.object({
  host: hostNameSchema,
  revision: revisionSchema.optional(),
  services: z.array(
    z.object({
      service: serviceNameSchema,
      applied: revisionSchema.optional(),
      held: z.boolean(),
      findings: z.array(findingSchema).max(10_000),
    }),
  ),
})

type Told = z.infer<typeof answerSchema>
type Reported = Told['services'][number] & { readonly finding: Told['services'][number]['findings'][number] }

export async function adoptFleet(target: string, options: AdoptFleetOptions, output: Output): Promise<number> {
  const told = await findingsOf(target, options)
  const { url: remote, operator } = reaching(options.remote, await operatorFrom(process.env))
  const directory = resolve(options.clone ?? '.')
  const git = gitIn(directory, operator)
  const open = await opener({ git, operator }, told)
  const head = await open(await headOf(git, { remote, branch: options.branch }))
  if (head === undefined) throw noClone(directory)
  const reported = told.services.flatMap((one) => one.findings.map((finding) => ({ ...one, finding })))
  const revisions = [head]
  for (const revision of new Set(told.services.flatMap(({ applied }) => applied ?? []))) {
    const opened = revision === head.reader.revision ? undefined : await open(revision)
    if (opened !== undefined) revisions.push(opened)
  }
  const applied = (source: string, sha256: string) =>
    appliedSource({ source, sha256 }, revisions, { host: told.host, secrets: noSecrets })
  const drifted: Drifted[] = []
  const refused: Refused[] = []
  for (const one of reported) {
    const problem = await onlyOnHost(one, revisions)
    if (problem === undefined) drifted.push(await driftedOf(one, target, applied))
    else refused.push({ id: one.finding.resource, problems: [problem], isAlready: false })
  }
  const notSecret = new Set(options.notSecret?.map(pathOption))
  const mask = maskFor([])
  const adoption = await adoptionOf(drifted, { head, appliedOf: applied, mask, notSecret })
  return await carryOut(
    {
      adoption: { ...adoption, refused: [...refused, ...adoption.refused] },
      head,
      host: told.host,
      applied: told.services[0]?.applied,
      mask,
      unheld: unheldOf(told, head),
      holding: holdingOf(told.host, options),
      placeFor: async () => ({
        ...(await inClone({ directory, remote, head: head.reader.revision }, operator)),
        isOwnClone: true,
      }),
    },
    { options, output },
  )
}

async function findingsOf(target: string, options: AdoptFleetOptions): Promise<Told> {
  if (options.host === undefined) throw usage('On which host was it changed?', 'Add --host NAME.')
  const url = new URL(`/api/v1/hosts/${encodeURIComponent(options.host)}/findings`, serverUrl(options.server ?? ''))
  if (target.startsWith('/')) url.searchParams.set('path', pathOption(target))
  else url.searchParams.set(isOfKind(target, 'unit') ? 'resource' : 'service', target)
  const hasToken = options.tokenFile !== undefined || (process.env['PLUMB_TOKEN'] ?? '') !== ''
  const answer = await requestServer({
    url,
    token: hasToken ? await tokenGiven(options.tokenFile) : undefined,
    certificate: options.certificate === undefined ? undefined : await certificateIn(options.certificate),
    remedy: 'Is the server running? On the host itself, plumb adopt needs no server.',
  })
  if (answer.kind === 'refused')
    throw usage(
      `${url.origin}: ${answer.message}`,
      answer.status === 401
        ? 'Set PLUMB_TOKEN to the operator token, or name a file by --token-file.'
        : (answer.remedy ?? 'See: plumb adopt --help'),
    )
  const parsed = answerSchema.safeParse(answer.json)
  if (parsed.success) return parsed.data
  throw notAServer(url, answer.status)
}

type ClonePlaces = { readonly git: Git; readonly operator: Operator }

/** Reads revisions of the clone; undefined for one that it does not have. */
async function opener({ git, operator }: ClonePlaces, { host }: Told) {
  const gitDirectory = await git.ask(['rev-parse', '--absolute-git-dir'])
  if (gitDirectory === undefined) throw noClone(git.directory)
  const { run, user } = operator
  const address = { kind: 'local', url: gitDirectory } as const
  const system = createSystemGit({ address, run, ...compact({ user }) })
  const objects = createSystemObjects(system, gitDirectory)
  return async (revision: Revision | undefined): Promise<OpenRevision | undefined> => {
    if (revision === undefined || !(await objects.hasCommit(revision))) return undefined
    return await openRevision(createReader({ revision, objects, listing: undefined, onDamage: () => {} }), host)
  }
}

type Followed = { readonly remote: string | undefined; readonly branch: string | undefined }

/** What the remote's branch is now; without the remote, as the clone knew it last. */
async function headOf(git: Git, { remote, branch }: Followed): Promise<Revision | undefined> {
  const name = remote ?? (await remoteOf(git))
  if (name !== undefined) await git.attended(['fetch', '--quiet', '--', name])
  const tracked = name === undefined ? [] : [`refs/remotes/${name}/${branch ?? 'HEAD'}`]
  const others = branch === undefined ? ['@{upstream}', 'HEAD'] : [`refs/heads/${branch}`]
  for (const ref of [...tracked, ...others]) {
    const revision = revisionSchema.safeParse(await git.ask(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`]))
    if (revision.success) return revision.data
  }
  return undefined
}

/** Why a finding cannot be carried over from its report. */
async function onlyOnHost({ finding }: Reported, revisions: readonly OpenRevision[]): Promise<Problem | undefined> {
  const { source, resource, differences } = finding
  const isContent = isOfKind(resource, 'file') && differences.some(({ name }) => name === 'content')
  if (isContent && source !== undefined)
    for (const revision of revisions)
      if ((await revision.secretsOf(source)).length > 0)
        return onHost('it holds secrets, whose values only the host has', source)
  const why = hostAlone(finding)
  return why === undefined ? undefined : onHost(why, source)
}

type Applied = (source: string, sha256: string) => ReturnType<typeof appliedSource>

async function driftedOf({ service, finding }: Reported, target: string, appliedOf: Applied): Promise<Drifted> {
  const { resource: id, source, summary, differences, evidence } = finding
  const content = isOfKind(id, 'file') ? differences.find(({ name }) => name === 'content') : undefined
  const applied = content === undefined || source === undefined ? undefined : await appliedOf(source, content.expected)
  const bytes = applied?.pieces === undefined ? applied?.content : Buffer.from(renderedText(applied.pieces))
  return {
    ...{ id, service, source, summary, differences, evidence },
    live: content === undefined ? undefined : bytes === undefined ? unknownHere(finding) : liveFrom(bytes, finding),
    extras: [],
    isNamed: pathInId(id) === target,
  }
}

function unknownHere({ source }: Reported['finding']) {
  return onHost('what was applied there is in no revision of the clone, or its variables have changed since', source)
}

const noSecrets: Secrets = {
  names: new Set(),
  isListed: true,
  directory: '/etc/plumb/secrets',
  read: (name) =>
    Promise.reject(new PlumbError({ code: 'secret-missing', message: `The value of ${name} is on the hosts alone.` })),
}

/** Reading may need no token; a hold does. */
function holdingOf(host: string, { server = '', certificate, tokenFile }: AdoptFleetOptions): Holding {
  const given = { hosts: host, server, certificate, 'token-file': tokenFile }
  const words = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [` --${name} ${shellWord(value)}`],
  )
  return {
    options: ` --fleet${words.join('')}`,
    ...(tokenFile === undefined
      ? { needs: 'The hold needs the operator token in PLUMB_TOKEN, or by --token-file.' }
      : {}),
  }
}

function unheldOf({ services }: Told, { repository }: OpenRevision) {
  return services.flatMap(({ service, held }) => {
    const onDrift = repository.services.get(service)?.settings.onDrift ?? repository.fleet.defaults.onDrift
    return held ? [] : [{ service, isRepaired: onDrift === 'repair' }]
  })
}

function noClone(directory: string): PlumbError {
  return usage(`${directory} is no clone of the fleet's repository.`, 'Run it in your clone, or name that: --clone DIR')
}
