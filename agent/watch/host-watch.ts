// In: what is desired of this host. Out: 'look again', within a moment of any change to it. Events only shorten the wait: every
// checkEvery all is looked at in any case.
import type { AbsolutePath } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { DesiredHost, Resource } from '../../shared/resource.ts'
import { kinds } from '../resources/registry.ts'
import { listenToDocker, listenToPodman } from './container-events.ts'
import { FileEvents, type Watched } from './file-events.ts'
import { Gather } from './gather.ts'
import { Source } from './source.ts'
import { listenToUnits } from './unit-events.ts'

export type HostWatchParts = {
  readonly root: string
  /** False in a sandbox: then only files are watched. */
  readonly system: boolean
  readonly ask: (what: 'check' | 'full-check') => void
  readonly engine: () => Promise<'docker' | 'podman' | undefined>
}

export class HostWatch {
  readonly #parts: HostWatchParts
  readonly #gather: Gather
  readonly #files: FileEvents
  readonly #units: Source
  readonly #docker: Source
  readonly #podman: Source
  #unitNames: ReadonlySet<string> = new Set()
  #watched: Watched = { paths: [], trees: [] }
  #desired: DesiredHost | undefined

  constructor(parts: HostWatchParts) {
    this.#parts = parts
    this.#gather = new Gather(() => parts.ask('check'))
    const changed = () => this.#gather.event()
    this.#files = new FileEvents({ root: parts.root, changed, overflowed: () => parts.ask('full-check') })
    const unitNames = () => this.#unitNames
    this.#units = new Source((ended) => listenToUnits(unitNames, { changed, ended }), changed)
    this.#docker = new Source((ended) => listenToDocker(changed, ended), changed)
    this.#podman = new Source((ended) => listenToPodman(changed, ended), changed)
  }

  /** Why some changes are only seen every checkEvery. */
  get problem(): Problem | undefined {
    return this.#files.problem
  }

  /** To be called before each look: directories that appeared are watched first, so that nothing in them is missed after it. */
  beforeLook(): void {
    this.#files.looked()
    this.#files.follow(this.#watched)
  }

  /** To be called after each look, with what is desired now. */
  async follow(desired: DesiredHost): Promise<void> {
    // What beforeLook has looked at is what is watched still.
    if (desired === this.#desired) return
    const resources = desired.services.flatMap((service) => service.resources)
    const watched = watchedFor(resources)
    this.#unitNames = watched.units
    this.#watched = watched
    if (this.#files.follow(this.#watched)) this.#parts.ask('check')
    if (!this.#parts.system) {
      this.#desired = desired
      return
    }
    this.#units.follow(this.#unitNames.size > 0)
    const engine = watched.hasContainers ? await this.#parts.engine() : undefined
    this.#docker.follow(engine === 'docker')
    this.#podman.follow(engine === 'podman')
    this.#desired = desired
  }

  close(): void {
    this.#gather.close()
    for (const one of [this.#files, this.#units, this.#docker, this.#podman]) one.close()
  }
}

/**
 * Pure: the paths whose changes matter. Enabling, masking and drop-ins are links and files below systemd's own directories; some of
 * them make no signal of systemd's (`set-property`: seen with 257).
 */
export function watchedFor(resources: readonly Resource[]): WatchedHost {
  const paths = new Set<AbsolutePath>()
  const trees = new Set<AbsolutePath>()
  const units = new Set<string>()
  let hasContainers = false
  for (const resource of resources) {
    const watches = kinds[resource.kind].watches(resource)
    for (const path of watches.paths ?? []) paths.add(path)
    for (const tree of watches.trees ?? []) trees.add(tree)
    for (const unit of watches.units ?? []) units.add(unit)
    hasContainers ||= watches.containers === true
  }
  return { paths: [...paths], trees: [...trees], units, hasContainers }
}

type WatchedHost = Watched & { readonly units: ReadonlySet<string>; readonly hasContainers: boolean }
