// Files of services that would stop, replace or confine the agent, as problems; lint and the agent refuse them alike. Pure.
import type { Problem } from '../../shared/problem.ts'
import { agentHazards, isAgentRequirement } from '../../shared/repository/agent-hazards.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'

/** `texts`: by path inside the repository. */
export function hazardProblems(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): readonly Problem[] {
  return services.flatMap(({ service, files }) =>
    files.flatMap((file) =>
      [...requirement(file), ...hazardsOf(file, texts)].map((one) => ({ ...one, service: service.name })),
    ),
  )
}

function requirement({ target, source }: ManagedFile): readonly Problem[] {
  if (!isAgentRequirement(target)) return []
  const message = 'it makes plumb.service require this unit: when that one is stopped, so is the agent'
  return [
    invalid(message, { file: source }, { code: 'unsafe-path', remedy: 'Link it in plumb.service.wants/ instead.' }),
  ]
}

function hazardsOf(file: ManagedFile, texts: ReadonlyMap<string, string>): readonly Problem[] {
  if (file.kind !== 'file' || file.settings.allow === 'agent-hazard') return []
  const { target, source } = file
  const remedy = `If that is meant, say so in service.yaml: files: { ${target}: { allow: agent-hazard } }`
  return agentHazards(target, texts.get(source) ?? '').map(({ line, written, why }) =>
    invalid(`${written}: ${why}`, { file: source, line }, { code: 'unsafe-path', remedy }),
  )
}
