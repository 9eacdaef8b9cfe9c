// A fleet of which every revision changes every file, adds some and removes some: half an apply of it shows.
import type { DesiredHost } from '../../../shared/resource.ts'
import { desiredHost, directory, file, idOf, service, symlink } from './world.ts'

export const servicesInGeneration = 5

/** `killer`: run as a trigger of the third service, when its files are in place already. */
export function generation(revision: number, killer = ''): DesiredHost {
  const services = Array.from({ length: servicesInGeneration }, (_, index) => {
    const home = `/srv/s${index}`
    const files = Array.from({ length: 8 }, (__, number) =>
      file(`${home}/f${number}`, `revision ${revision} of ${number}\n`.repeat(50)),
    )
    const passing = file(`${home}/only-in-${revision % 3}`, `${revision}`)
    const triggers =
      killer === '' || index !== 2
        ? []
        : [{ on: [idOf('file', `${home}/f0`)], action: { kind: 'run', command: killer } } as const]
    return service(`s${index}`, [directory(home), ...files, passing, symlink(`${home}/link`, `f${revision % 2}`)], {
      triggers,
    })
  })
  return desiredHost(services, String(revision))
}
