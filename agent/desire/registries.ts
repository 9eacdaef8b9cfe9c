// Logins of container registries: names from service.yaml, passwords from the host's secrets.
import type { ServiceName } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { RegistryLogin } from '../../shared/resource.ts'
import type { ManagedService } from './managed-files.ts'
import type { Secrets } from './secrets.ts'
import { missingSecret } from './template.ts'

export type RegistryLogins = ReadonlyMap<ServiceName, readonly RegistryLogin[]>

/** `problems`: passwords that this host lacks. */
export type ReadLogins = { readonly logins: RegistryLogins; readonly problems: readonly Problem[] }

export async function registryLogins(services: readonly ManagedService[], secrets: Secrets): Promise<ReadLogins> {
  const read = await Promise.all(services.map((service) => loginsOf(service, secrets)))
  return {
    logins: new Map(services.map(({ service }, index) => [service.name, read[index]?.logins ?? []])),
    problems: read.flatMap(({ problems }) => problems),
  }
}

async function loginsOf({ service }: ManagedService, secrets: Secrets) {
  const logins: RegistryLogin[] = []
  const problems: Problem[] = []
  for (const [host, { username, password: secret }] of service.settings.compose?.registries ?? []) {
    const where = () => service.settingsPlace(['compose', 'registries', host, 'password'])
    try {
      logins.push({ host, username, secret, password: await secrets.read(secret) })
    } catch (error) {
      const isAbsent = secrets.isListed && !secrets.names.has(secret)
      const lacking = isAbsent ? [missingSecret(secret, secrets, where())] : problemsOf(error)
      problems.push(...lacking.map((problem) => ({ ...problem, service: service.name })))
    }
  }
  return { logins, problems }
}
