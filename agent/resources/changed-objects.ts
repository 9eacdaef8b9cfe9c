// Networks and volumes that exist with other settings than the compose file gives them. Compose makes what is missing; of what is
// there it changes nothing, or, in newer versions, asks whether it may remove it. Pure.
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource, EngineObject } from '../../shared/resource.ts'

/** Undefined when all that exists is as declared; a setting that the compose file leaves open is never different. */
export function objectRefusal(
  { project, file }: ComposeResource,
  declared: readonly EngineObject[],
  existing: readonly EngineObject[],
): PlumbError | undefined {
  const changed = changedObjects(declared, existing)
  if (changed.length === 0) return undefined
  const whole = changed.map(({ text }) => `the ${text}`).join('; ')
  return new PlumbError({
    code: 'unsafe-path',
    message: `${project} is left as it is: ${whole}. Compose does not change a network or a volume that exists.`.slice(
      0,
      4000,
    ),
    where: { file },
    remedy: [...new Set(changed.map(({ kind }) => kind))].map((kind) => remedies[kind](project)).join(' '),
  })
}

/** `network app_a has subnet 10.1.0.0/24 instead of 10.2.0.0/24` */
export function changedObjects(
  declared: readonly EngineObject[],
  existing: readonly EngineObject[],
): readonly { readonly kind: EngineObject['kind']; readonly name: string; readonly text: string }[] {
  return declared.flatMap((wanted) => {
    const { kind, name } = wanted
    const there = existing.find((one) => one.kind === kind && one.name === name)
    const texts = there === undefined ? [] : differences(wanted, there)
    return texts.length === 0 ? [] : [{ kind, name, text: `${kind} ${name} has ${texts.join(', ')}` }]
  })
}

const remedies: Readonly<Record<EngineObject['kind'], (project: string) => string>> = {
  network: (project) =>
    `To recreate the network: docker compose --project-name ${project} down (volumes stay), then plumb apply.`,
  volume: () =>
    'A volume keeps its data where it is: give the volume with the new settings another name and take the data along, or, once nothing in it is needed, remove it with docker volume rm.',
}

/** `subnet 10.1.0.0/24 instead of 10.2.0.0/24` */
function differences(wanted: EngineObject, there: EngineObject): readonly string[] {
  return [...wanted.settings].flatMap(([setting, values]) => {
    const has = there.settings.get(setting) ?? []
    if (values.every((value) => has.includes(value))) return []
    return [`${setting} ${has.join(' ') || 'not set'} instead of ${values.join(' ')}`]
  })
}
