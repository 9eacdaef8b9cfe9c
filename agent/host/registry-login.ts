// Logins of registries for the time of one command: a docker configuration of its own, in memory, that no other user can read.

import { type Run, whyText } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { RegistryLogin } from '../../shared/resource.ts'

/** `work` gets the environment with which docker, and compose on podman, find the logins; none when there are none. */
export async function withLogins<T>(
  logins: readonly RegistryLogin[],
  run: Run,
  work: (environment: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  await removeLeftBehind(run)
  if (logins.length === 0) return work({})
  const directory = (await must(run, ['mktemp', '--directory', `${prefix}XXXXXXXX`])).trim()
  try {
    const configuration = configurationWith(await ownConfiguration(run), logins)
    // By stdin: a password in an argument could be read by everybody here.
    await must(run, ['dd', `of=${directory}/config.json`, 'status=none'], configuration)
    for (const name of ['cli-plugins', 'contexts'])
      await run({ args: ['ln', '--symbolic', `${ownDirectory}/${name}`, `${directory}/${name}`] })
    return await work({ DOCKER_CONFIG: directory })
  } finally {
    await run({ args: ['rm', '-rf', '--', directory] })
  }
}

/** What root has set up by hand (proxies, other logins, a context) holds too; for our hosts no helper is asked. */
export function configurationWith(own: string, logins: readonly RegistryLogin[]): string {
  const known = objectIn(own)
  const auths = logins.map(({ host, username, password }) => [
    keyOf(host),
    { auth: Buffer.from(`${username}:${password}`).toString('base64') },
  ])
  const helpers = logins.map(({ host }) => [keyOf(host), ''])
  return JSON.stringify({
    ...known,
    auths: { ...objectOf(known['auths']), ...Object.fromEntries(auths) },
    ...(known['credsStore'] === undefined && known['credHelpers'] === undefined
      ? {}
      : { credHelpers: { ...objectOf(known['credHelpers']), ...Object.fromEntries(helpers) } }),
  })
}

/** /run is in memory, and empty after a boot. */
const prefix = '/run/plumb-docker.'
const ownDirectory = '/root/.docker'

/** A killed agent leaves its directory behind; applies are one at a time, so whatever is there now is such a one. */
async function removeLeftBehind(run: Run): Promise<void> {
  const found = ['-maxdepth', '1', '-name', 'plumb-docker.*', '-type', 'd', '-user', '0']
  await run({ args: ['find', '/run', ...found, '-exec', 'rm', '-rf', '--', '{}', '+'] })
}

async function ownConfiguration(run: Run): Promise<string> {
  const { code, stdout } = await run({ args: ['cat', `${ownDirectory}/config.json`] })
  return code === 0 ? stdout : '{}'
}

/** Docker Hub's logins go by an address of their own. */
function keyOf(host: string): string {
  return host === 'docker.io' ? 'https://index.docker.io/v1/' : host
}

function objectIn(text: string): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(text))
  } catch {
    return {}
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

async function must(run: Run, args: readonly string[], stdin?: string): Promise<string> {
  const command = { args, ...compact({ stdin }) }
  const result = await run(command)
  if (result.code === 0) return result.stdout
  throw new PlumbError({
    code: 'apply-failed',
    message: `The login of the registry could not be prepared: ${whyText(command, result, result.stderr.trim())}`,
    remedy: 'It needs room in /run.',
  })
}
