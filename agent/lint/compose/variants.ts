// Files beside a compose file that look as if compose read them: override files, variants for other environments. Pure.
import type { LintWarning } from '../warning.ts'
import type { ComposeProject } from './project.ts'

export function unreadVariants({ source, read }: ComposeProject): readonly LintWarning[] {
  const { service } = source.managed
  const { compose } = service
  if (compose === undefined) return []
  return compose.files.flatMap(({ target, source: file }) => {
    if (read.includes(target) || !/^(?:docker-)?compose[._-][^/]*\.ya?ml$/.test(target)) return []
    const isOverride = /^(?:docker-)?compose\.override\.ya?ml$/.test(target)
    return [
      {
        code: isOverride ? 'compose-override-unread' : 'compose-variant-unread',
        message: isOverride
          ? `the override file ${target} is never read: docker compose by hand would merge it into ${compose.file}, the agent does not.`
          : `${target} is never read: ${compose.file} neither includes nor extends it.`,
        where: { file },
        remedy: `Have it read: compose: { files: [${compose.file}, ${target}] } in service.yaml. Or merge it into ${compose.file}, include it there, or remove it.`,
        service: service.name,
      },
    ]
  })
}
