// What an apply would do to the containers of a project, asked of compose before anything is changed.

import type { Run } from '../../shared/command.ts'
import { PlumbError, problemLine } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { composeModelText, servicesToRecreate } from '../host/compose-command.ts'
import { type ComposeModel, parseModel } from '../host/compose-model.ts'
import { type Container, containersOf, type Listing, listContainers } from '../host/docker.ts'
import { healthSecondsOf } from '../host/health-times.ts'
import { type ContainerAction, foreseenActions, foreseenText, needsAsking } from './compose-actions.ts'
import { declarationOf, rightHashes } from './compose-declaration.ts'
import { guardProject, type Judged, judgeProject } from './compose-guard.ts'
import { projectState } from './compose-state.ts'
import { movedTexts } from './moved-mounts.ts'
import { replacedMountsOf, rightlySeen } from './replaced-mounts.ts'

export type ComposeForecast =
  | {
      readonly kind: 'up'
      readonly actions: readonly ContainerAction[]
      /** Until all are healthy, by what their health checks declare. */
      readonly healthSeconds: number
    }
  | { readonly kind: 'stop' | 'take-down'; readonly services: readonly string[] }
  /** The apply would fail with this. */
  | { readonly kind: 'refused'; readonly why: string }
  /** It cannot be told before. */
  | { readonly kind: 'unknown'; readonly why: string }

export type ForecastInput = {
  readonly project: string
  /** Undefined: it leaves. */
  readonly desired: ComposeResource | undefined
  /** Where its files are staged, standing for `/`. */
  readonly root: string
  /** Files that the apply replaces. */
  readonly changing: ReadonlySet<string>
}

/** `recreate web (its mounted app.conf changes); start db`. */
export function forecastText(forecast: ComposeForecast): string {
  switch (forecast.kind) {
    case 'up':
      return forecast.actions.length === 0 ? untouched : forecast.actions.map(foreseenText).join('; ')
    case 'stop':
      return forecast.services.length === 0 ? untouched : `stop ${forecast.services.join(', ')}`
    case 'take-down':
      return forecast.services.length === 0
        ? 'it has no containers left'
        : `remove the containers of ${forecast.services.join(', ')}; its volumes are kept`
    case 'refused':
      return `will fail: ${forecast.why}`
    case 'unknown':
      return `what happens to its containers cannot be told yet: ${forecast.why}`
  }
}

const untouched = 'its containers stay as they are'

export async function composeForecast(input: ForecastInput, query: Run): Promise<ComposeForecast> {
  const listing = await listContainers(query)
  if (listing.kind === 'absent') return { kind: 'unknown', why: 'neither docker nor podman is installed' }
  if (listing.kind === 'silent') return { kind: 'unknown', why: `${listing.engine.name} does not answer` }
  const own = containersOf(input.project, listing)
  const { desired } = input
  if (desired === undefined) return { kind: 'take-down', services: servicesOf(own) }
  if (desired.state === 'stopped')
    return { kind: 'stop', services: projectState(own) === 'stopped' ? [] : servicesOf(own.filter(isRunning)) }
  try {
    return await upForecast({ ...input, desired }, listing, query)
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    return { kind: 'refused', why: error.problems.map(problemLine).join('; ').replaceAll(input.root, '') }
  }
}

type UpInput = ForecastInput & { readonly desired: ComposeResource }

async function upForecast(
  { desired, root, changing }: UpInput,
  listing: Listing,
  query: Run,
): Promise<ComposeForecast> {
  const own = containersOf(desired.project, listing)
  const model = await stagedModel({ desired, root }, query)
  const moved = movedTexts(await guardProject({ desired, model, root }, listing, query))
  const first = await declarationOf(desired, model, query)
  const right = await rightHashes({ desired, own, declared: first, model }, query)
  const declared = { ...first, hashes: new Map([...first.hashes, ...right]) }
  const mounting = { services: declared.services, files: desired.files }
  const replaced = await replacedMountsOf(own, mounting, query)
  const labelled = { ...desired, labels: declared.labels, model }
  const recreated = needsAsking(own, declared) ? await servicesToRecreate(labelled, own, query) : undefined
  const seen = await rightlySeen(
    own,
    { ...mounting, files: desired.files.filter(({ path }) => changing.has(path)) },
    query,
  )
  const actions = foreseenActions(own, { declared, replaced, changing, rightlySeen: seen, moved, recreated })
  return { kind: 'up', actions, healthSeconds: actions.length === 0 ? 0 : healthSecondsOf(model) }
}

type StagedInput = Pick<UpInput, 'desired' | 'root'>

/** What a project would be refused for. Throws PlumbError where compose refuses its files. */
export async function judgeStaged(
  input: StagedInput & { readonly leaving: readonly string[] },
  query: Run,
): Promise<Judged> {
  const listing = await listContainers(query)
  return judgeProject({ ...input, model: await stagedModel(input, query) }, listing, query)
}

async function stagedModel({ desired, root }: StagedInput, query: Run): Promise<ComposeModel> {
  const overrides = (desired.overrides ?? []).map((file) => `${root}${file}`)
  const staged = { project: desired.project, file: `${root}${desired.file}`, overrides }
  const { text, unset } = await composeModelText(staged, query)
  return { ...parseModel(text.replaceAll(`${root}/`, '/')), unset }
}

function servicesOf(own: readonly Container[]): readonly string[] {
  return [...new Set(own.map(({ service }) => service))].toSorted()
}

function isRunning({ state }: Container): boolean {
  return state === 'running' || state === 'restarting' || state === 'paused'
}
