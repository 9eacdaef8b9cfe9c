// What an apply would do to the containers of a project, asked of compose before anything is changed.
import { PlumbError, problemLine } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { composeModelText, servicesToRecreate } from '../host/compose-command.ts'
import { parseModel } from '../host/compose-model.ts'
import { type Container, containersOf, listContainers } from '../host/docker.ts'
import { realPaths } from '../host/real-paths.ts'
import type { Run } from '../host/run.ts'
import { type ContainerAction, foreseenActions, foreseenText, needsAsking } from './compose-actions.ts'
import { declarationOf, rightHashes } from './compose-declaration.ts'
import { mountRefusal, reachedPaths } from './compose-mounts.ts'
import { projectState } from './compose-state.ts'
import { replacedMountsOf, rightlySeen } from './replaced-mounts.ts'

export type ComposeForecast =
  | { readonly kind: 'up'; readonly actions: readonly ContainerAction[] }
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

/** `make web anew (its mounted app.conf changes); start db`. */
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
    return await upForecast({ ...input, desired }, own, query)
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    return { kind: 'refused', why: error.problems.map(problemLine).join('; ').replaceAll(input.root, '') }
  }
}

type UpInput = ForecastInput & { readonly desired: ComposeResource }

async function upForecast(
  { desired, root, changing }: UpInput,
  own: readonly Container[],
  query: Run,
): Promise<ComposeForecast> {
  const staged = { project: desired.project, file: `${root}${desired.file}` }
  const model = parseModel((await composeModelText(staged, query)).replaceAll(`${root}/`, '/'))
  const refusal = mountRefusal(desired, await resolved(reachedPaths(model.services), { desired, root }, query))
  if (refusal !== undefined) throw refusal
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
  return { kind: 'up', actions: foreseenActions(own, { declared, replaced, changing, rightlySeen: seen, recreated }) }
}

/** A link that the apply brings is followed where it is staged. */
async function resolved(
  reached: ReturnType<typeof reachedPaths>,
  { desired, root }: Pick<UpInput, 'desired' | 'root'>,
  query: Run,
) {
  const isInside = (path: string) => path.startsWith(`${desired.directory}/`)
  const real = await realPaths(
    reached.map(({ path }) => (isInside(path) ? `${root}${path}` : path)),
    query,
  )
  return reached.map((one, index) => {
    const path = real[index] ?? one.path
    return { ...one, resolved: path.startsWith(`${root}/`) ? path.slice(root.length) : path }
  })
}

function servicesOf(own: readonly Container[]): readonly string[] {
  return [...new Set(own.map(({ service }) => service))].toSorted()
}

function isRunning({ state }: Container): boolean {
  return state === 'running' || state === 'restarting' || state === 'paused'
}
