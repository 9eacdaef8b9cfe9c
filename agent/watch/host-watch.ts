// In: what is desired of this host. Out: 'look again', within a moment of any change to it. Events only shorten the wait: every
// checkEvery all is looked at in any case.
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { DesiredHost, Resource } from '../../shared/resource.ts'
import { localUnitRoots } from '../resources/unit-files.ts'
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
    this.#unitNames = new Set(resources.flatMap((one) => (one.kind === 'unit' ? [one.name] : [])))
    this.#watched = watchedFor(resources)
    if (this.#files.follow(this.#watched)) this.#parts.ask('check')
    if (!this.#parts.system) {
      this.#desired = desired
      return
    }
    this.#units.follow(this.#unitNames.size > 0)
    const engine = resources.some(({ kind }) => kind === 'compose') ? await this.#parts.engine() : undefined
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
export function watchedFor(resources: readonly Resource[]): Watched {
  const paths = new Set<AbsolutePath>()
  const trees = new Set<AbsolutePath>()
  for (const resource of resources)
    switch (resource.kind) {
      case 'file':
      case 'symlink':
        paths.add(resource.path)
        break
      case 'directory':
        paths.add(resource.path)
        if (resource.purge) trees.add(resource.path)
        break
      case 'package':
        for (const database of packageDatabases) paths.add(database)
        break
      case 'unit':
        for (const directory of localUnitRoots) trees.add(directory)
        break
      case 'compose':
        break
    }
  return { paths: [...paths], trees: [...trees] }
}

/** What each package manager replaces or writes whenever a package changes: dpkg, rpm, apk, pacman. */
const packageDatabases = [
  '/var/lib/dpkg/status',
  '/var/lib/rpm/rpmdb.sqlite-wal',
  '/var/lib/rpm/rpmdb.sqlite',
  '/lib/apk/db/installed',
  '/var/lib/pacman/local',
].map((path) => absolutePathSchema.parse(path))
