// Compose 2 and the few of its verbs that are needed: what a project declares, and bringing it up, stopping it, taking it down.
import { dirname } from 'node:path'
import { type Command, type CommandResult, lastLines, type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type ComposeModel, parseModel, withLabels } from './compose-model.ts'
import { type Container, filesLabel, noEngine } from './docker.ts'
import { composeCommand, engineOf } from './engine.ts'

export type Project = {
  readonly project: string
  readonly file: string
  readonly overrides?: readonly string[]
  /** Per service, the digest of the mounted files: set on its containers, so that a different digest recreates them. */
  readonly labels: Readonly<Record<string, string>>
}

/** Throws `validation-failed` with compose's own words when the file is not valid. */
export async function composeModel(project: Omit<Project, 'labels'>, query: Run): Promise<ComposeModel> {
  const { text, unset } = await composeModelText(project, query)
  return { ...parseModel(text), unset }
}

/** The same before it is parsed. */
export async function composeModelText(project: Omit<Project, 'labels'>, query: Run): Promise<ModelText> {
  const { command, result } = await compose({ ...project, labels: {} }, ['config', '--format', 'json'], query)
  if (result.code === 0) return { text: result.stdout, unset: unsetIn(result.stderr) }
  throw new PlumbError({
    code: 'validation-failed',
    message: `The compose file of ${project.project} is refused: ${wordsOf(command, result, 5)}`,
    where: { file: project.file },
    remedy: inClone(command, 'config'),
  })
}

type ModelText = { readonly text: string; readonly unset: readonly string[] }

/**
 * `level=warning msg="The \"X\" variable is not set. Defaulting to a blank string."`, of the compose file, `.env` and
 * env_file.
 */
function unsetIn(stderr: string): readonly string[] {
  const names = [...stderr.matchAll(/The \\?"([^"\\]+)\\?" variable is not set/g)].flatMap(([, name]) => name ?? [])
  return [...new Set(names)].toSorted()
}

/**
 * The configuration hash that compose would give each service's containers. Asked of the resolved model, because of
 * the file `--hash` leaves out what env_file says (2.22 until mid-2026, docker/compose#14001).
 */
export async function configHashes(
  project: Project,
  model: ComposeModel,
  query: Run,
): Promise<ReadonlyMap<string, string>> {
  const { command, result } = await composeResolved(project, { args: ['config', '--hash', '*'], model }, query)
  if (result.code !== 0) throw failed(project.project, 'config --hash', { command, result }, correctIt)
  const lines = result.stdout.split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split(' ')).map(([name = '', hash = '']) => [name, hash]))
}

/** The services that compose itself would recreate; undefined when it does not say. Slower than comparing hashes. */
export async function servicesToRecreate(
  { model, ...project }: Project & { readonly model?: ComposeModel },
  own: readonly Container[],
  query: Run,
): Promise<ReadonlySet<string> | undefined> {
  const args = ['--dry-run', 'up', '--detach', '--no-build', '--pull', 'never']
  const { result } = await (model === undefined
    ? compose(project, args, query)
    : composeResolved(project, { args, model }, query))
  if (result.code !== 0) return undefined
  const named = own.filter(({ name }) => result.stderr.includes(`Container ${name}  Recreate`))
  return new Set(named.map(({ service }) => service))
}

/** `2.26.1`, without a distribution's suffix; empty when there is no compose 2. */
export async function composeVersion(query: Run): Promise<string> {
  const { result } = await ask({ args: ['version', '--short'] }, query)
  // Another program, which names and labels its containers in its own way.
  if (`${result.stdout}${result.stderr}`.includes('podman-compose')) return ''
  return (result.code === 0 && /\d+\.\d+\.\d+/.exec(result.stdout)?.[0]) || ''
}

export type UpOptions = {
  readonly build?: boolean
  readonly recreate?: readonly string[]
  /** Those, and what they depend on; default: all. */
  readonly services?: readonly string[]
  /** With the images that are here, whatever the compose file says of pulling. */
  readonly isOffline?: boolean
  /** How a login reaches compose (registry-login.ts). */
  readonly environment?: Readonly<Record<string, string>>
}

/** Recreates only containers whose declaration, image or label differs. Pulls and builds have no short deadline. */
export async function composeUp(project: Project, run: Run, options: UpOptions = {}): Promise<void> {
  const { recreate, services, build, isOffline, environment } = options
  const chosen = services === undefined ? [] : ['--', ...services]
  const how =
    recreate === undefined ? ['--remove-orphans', ...chosen] : ['--no-deps', '--force-recreate', '--', ...recreate]
  const images = [...(build === true ? ['--build'] : []), ...(isOffline === true ? ['--pull', 'never'] : [])]
  const args = ['up', '--detach', ...images, ...how]
  const asked = await compose(project, args, run, { deadlineSeconds: 1800, ...(environment && { environment }) })
  if (asked.result.code === pullFailed) throw notPulled(project, asked)
  if (asked.result.code !== 0) throw failed(project.project, 'up', asked, correctIt)
}

/** Found by their labels, so that containers of services that the compose file no longer has are stopped too. */
export async function composeStop(project: string, run: Run): Promise<void> {
  await byLabels(project, ['stop'], run)
}

const correctIt = 'Correct the compose file, or what it names, in the repository and push.'

/** Containers and networks, found by their labels: the compose file may be gone. Volumes are data and stay. */
export async function composeDown(project: string, run: Run): Promise<void> {
  await byLabels(project, ['down', '--remove-orphans'], run)
}

/** Of compose 2, since 2.0. */
const pullFailed = 18

async function byLabels(project: string, verb: readonly string[], run: Run): Promise<void> {
  const args = ['--project-name', project, ...verb]
  const asked = await ask({ args, deadlineSeconds: 300 }, run)
  if (asked.result.code === 0) return
  const [name = ''] = verb
  const byHand = `Try it by hand: ${programText(asked.command)} --project-name ${project} ${name}`
  throw failed(project, name, asked, byHand)
}

/** The labels travel as a second compose file on stdin: nothing of it lies on disk. */
function compose(project: Project, args: readonly string[], run: Run, more: Partial<Command> = {}): Promise<Asked> {
  const services = Object.fromEntries(
    Object.entries(project.labels).map(([name, files]) => [name, { labels: { [filesLabel]: files } }]),
  )
  const withLabel = Object.keys(services).length > 0
  const files = [project.file, ...(project.overrides ?? []), ...(withLabel ? ['-'] : [])].flatMap((file) => [
    '--file',
    file,
  ])
  const stdin = withLabel ? { stdin: JSON.stringify({ services }) } : {}
  return ask({ ...more, ...stdin, args: ['--project-name', project.project, ...files, ...args] }, run)
}

/** Of a model instead of the project's files. */
function composeResolved(
  { project, file, labels }: Project,
  { args, model }: { readonly args: readonly string[]; readonly model: ComposeModel },
  run: Run,
): Promise<Asked> {
  const all = ['-p', project, '--project-directory', dirname(file), '-f', '-', ...args]
  return ask({ args: all, stdin: JSON.stringify(withLabels(model, filesLabel, labels)) }, run)
}

type Asked = { readonly command: Command; readonly result: CommandResult }

async function ask({ args, ...more }: Command, run: Run): Promise<Asked> {
  const engine = await engineOf(run)
  if (engine === undefined) throw noEngine('neither docker nor podman is installed here')
  const own = composeCommand(engine, args)
  const command = {
    outputLimitBytes: 16 << 20,
    ...own,
    ...more,
    environment: { ...own.environment, ...more.environment },
  }
  return { command, result: await run(command) }
}

function failed(project: string, verb: string, { command, result }: Asked, remedy: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${project}: ${programText(command)} ${verb} failed: ${wordsOf(command, result, 8)}`,
    remedy,
  })
}

/** The project's files on the host are staged, or are rolled back with the apply: what a person can try it on is a clone. */
function inClone(command: Command, verb: string): string {
  return `To try it, in the directory of the service in a clone: ${programText(command)} ${verb}`
}

function notPulled({ project }: Project, { command, result }: Asked): PlumbError {
  const lines = result.stderr.split('\n').filter((line) => / Error /.test(line) && !line.startsWith('Error'))
  const services = [...new Set(lines.flatMap((line) => /^ *(\S+) Error /.exec(line)?.[1] ?? []))].toSorted()
  const whose = services.length === 0 ? '' : ` of ${services.join(', ')}`
  const pulled = lines.length === 0 ? wordsOf(command, result, 8) : lines.map((line) => line.trim()).join('\n')
  return new PlumbError({
    code: 'apply-failed',
    message: `${project}: an image${whose} is not here and cannot be pulled:\n${pulled}`,
    remedy: `Correct its name in the compose file, or give the registry's login under \`compose: { registries: ... }\` in service.yaml. ${inClone(command, 'pull')}`,
  })
}

/** `docker compose` */
function programText({ args }: Command): string {
  return args.slice(0, 2).join(' ')
}

function wordsOf(command: Command, result: CommandResult, count: number): string {
  // The last line that `podman compose` adds says nothing that compose has not said.
  const stderr = result.stderr.replace(/^Error: executing .*\n?$/m, '')
  return whyText(command, result, lastLines({ stderr }, count))
}
