// A booted host with a container engine and the whole agent on it, following a repository that a test commits to.
import { join } from 'node:path'
import type { LabHost } from '../../scripts/lab/host.ts'
import type { ImageName } from '../../scripts/lab/image.ts'
import type { Lab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { makeRepository, serveRepository, type TestFiles, type TestRepository } from '../support/git.ts'
import { artifactsDirectory, buildArtifacts } from './agent-artifacts.ts'
import { now } from './example-fleet.ts'

export type ComposeHost = {
  readonly host: LabHost
  readonly fleet: TestRepository
  /** Of the repository, for the host. */
  readonly url: string
  /** `docker` or `podman` with these arguments; its output, trimmed. */
  engine(...args: readonly string[]): Promise<string>
  /**
   * Makes `services/NAME/` of exactly these files, and gives the host these services beside two that stay. No settle time
   * is waited for unless `service.yaml` gives one.
   */
  commit(services: Readonly<Record<string, TestFiles>>, message?: string): Promise<void>
  /** The lines about one service. */
  plan(service: string): Promise<readonly string[]>
  apply(service: string): Promise<readonly string[]>
  /** Everything `plumb VERB` prints, and its exit code. */
  plumb(...args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }>
  /** Service -> id and time of the last start of its containers. */
  containers(project: string): Promise<ReadonlyMap<string, string>>
  /** A file as the container sees it. */
  seen(container: string, path: string): Promise<string>
  close(): Promise<void>
}

export async function composeHost(lab: Lab, name: string, image: ImageName): Promise<ComposeHost> {
  await buildArtifacts()
  const host = await lab.host(name, image)
  const program = image === 'trixie-podman' ? 'podman' : 'docker'
  if (program === 'podman') await host.output(['systemctl', 'start', 'podman.socket'])
  await host.copyIn(join(artifactsDirectory, 'plumb-linux-x64'), '/usr/local/bin/plumb', '0755')
  await importImages(host, program)
  const fleet = await makeRepository({ ...staying, 'plumb.yaml': plumbYaml(name, []) }, { at: now() })
  const forge = await serveRepository(fleet, { address: machineAddress })
  const there = new Set<string>()
  const plumb: ComposeHost['plumb'] = async (...args) => {
    const { code, stdout, stderr } = await host.exec(['plumb', ...args, '--repo', forge.url, '--host', name])
    return { code, text: `${stdout}${stderr}` }
  }
  const engine = async (...args: readonly string[]) => (await host.output([program, ...args])).trim()
  const linesOf = async (verb: string, service: string) => {
    const { text } = await plumb(verb)
    const lines = text.split('\n').filter((line) => line.startsWith(`${service}: `))
    return lines.map((line) => line.slice(service.length + 2))
  }
  return {
    host,
    fleet,
    url: forge.url,
    engine,
    plumb,
    plan: (service) => linesOf('plan', service),
    apply: (service) => linesOf('apply', service),
    commit: async (services, message = 'a change') => {
      const files = Object.entries(services).flatMap(([service, own]) =>
        Object.entries({ 'README.md': `# ${service}\n`, ...own, 'service.yaml': settled(own['service.yaml']) }).map(
          ([path, content]) => [`services/${service}/${path}`, content] as const,
        ),
      )
      const gone = [...there].map((path) => [path, null] as const)
      for (const [path] of files) there.add(path)
      const listed = { 'plumb.yaml': plumbYaml(name, Object.keys(services)) }
      await fleet.commit({ ...Object.fromEntries([...gone, ...files]), ...listed }, { message, at: now() })
    },
    containers: async (project) => {
      const ids = await engine('ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`)
      if (ids === '') return new Map()
      const format = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
      const lines = (await engine('inspect', '--type', 'container', '--format', format, ...ids.split('\n'))).split('\n')
      return new Map(lines.map((line) => [line.split(' ')[0] ?? '', line]))
    },
    seen: (container, path) => engine('exec', container, 'cat', path),
    close: async () => {
      await forge.close()
      await fleet.remove()
    },
  }
}

/** `compose project shop: recreate web (why); start db` -> `brought up shop: recreated web, started db`. */
export function pastOf(foreseen: string): string {
  const [, project = '', actions = ''] = /^compose project (\S+): (.*)$/.exec(foreseen) ?? []
  const done = actions.split('; ').map((action) =>
    action
      .replace(/ \(.*\)$/, '')
      .replace(/^recreate /, 'recreated ')
      .replace(/^start /, 'started ')
      .replace(/^remove /, 'removed ')
      .replace(/^scale /, 'scaled '),
  )
  return `brought up ${project}: ${done.join(', ')}`
}

/** With services that stay: when another one leaves, that is no removal that waits for a person. */
function plumbYaml(host: string, services: readonly string[]): string {
  return `version: 1\nhosts: { ${host}: { services: [${['one', 'two', ...services].join(', ')}] } }\n`
}

const staying: TestFiles = {
  'services/one/README.md': '# one\n',
  'services/one/files/etc/one': 'one',
  'services/two/README.md': '# two\n',
  'services/two/files/etc/two': 'two',
}

function settled(own: TestFiles[string] | undefined): string {
  const text = typeof own === 'string' ? own : ''
  return text.includes('settle:') ? text : `settle: 0s\n${text}`
}

/** With `docker` or `podman`. */
export async function importImages(host: LabHost, program: string): Promise<void> {
  await host.output(['sh', '-c', importBox, 'sh', program])
}

/** Images localhost/box:1 and :2, which differ in /version, of busybox: no registry of images can be reached. */
const importBox = `
  set -e
  box=$(mktemp -d)
  mkdir -p $box/bin $box/etc $box/tmp $box/proc
  cp /bin/busybox $box/bin/
  for applet in sh sleep cat true false echo; do ln -s busybox $box/bin/$applet; done
  for version in 1 2; do
    echo $version > $box/version
    tar -C $box -c . | $1 import - localhost/box:$version
  done
  rm -r $box
`
