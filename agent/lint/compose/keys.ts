// Keys of a compose file that are most likely slips: compose refuses keys that it does not know. Keys of newer versions pass. Pure.
import type { Problem } from '../../../shared/problem.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import { nearest } from '../../../shared/repository/nearest.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import { type Fields, namedIn } from './model.ts'
import type { ComposeProject, ReadFile } from './project.ts'

export function keySlips(project: ComposeProject): readonly Problem[] {
  return project.files.flatMap((file) => [
    ...slipsIn(file.root, [], { project, file, known: topLevel }),
    ...namedIn(file.root, 'services').flatMap(({ fields, path }) =>
      slipsIn(fields, path, { project, file, known: ofService }),
    ),
  ])
}

type In = { readonly project: ComposeProject; readonly file: ReadFile; readonly known: readonly string[] }

function slipsIn(fields: Fields, path: KeyPath, { project, file, known }: In): readonly Problem[] {
  return Object.keys(fields).flatMap((key) => {
    const meant = known.includes(key) || key.startsWith('x-') ? undefined : nearest(key, known)
    if (meant === undefined) return []
    const { name: service } = project.source.managed.service
    const where = file.model.yaml.placeOfKey([...path, key])
    return [invalid(`unknown key ${quoted(key)}`, where, { service, remedy: `Did you mean "${meant}"?` })]
  })
}

const topLevel = ['version', 'name', 'include', 'services', 'networks', 'volumes', 'configs', 'secrets', 'models']

/** https://github.com/compose-spec/compose-spec/blob/main/05-services.md */
const ofService =
  'annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname driver_opts entrypoint env_file environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir'.split(
    ' ',
  )
