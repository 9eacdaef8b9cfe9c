// Quadlets of a service, as lint and a host judge them.
import { lintWorkTree } from '../../../agent/commands/lint.ts'
import { desire, type Files, fleetDirectory } from '../desire/fleet.ts'

export const at = (name: string) => `services/a/files/etc/containers/systemd/${name}`

/** A file of a quadlet alone, or with what it plays. */
export const withFile = (name: string, text: string): Files => ({
  [at(name)]: text,
  ...(name === 'x.yaml' ? { [at('x.kube')]: '[Kube]\nYaml=x.yaml\n' } : {}),
  ...(/\..*\.d\//.test(name) ? { [at(name.replace(/\.d\/.*$/, ''))]: '[Container]\nImage=x\n' } : {}),
})

export async function linted(files: Files) {
  const { problems, warnings } = await lintWorkTree(fleetDirectory(files))
  return { problems, warnings: warnings.filter(({ code }) => code !== 'quadlet-name') }
}

export async function refusedOnHost(files: Files) {
  const { desired } = await desire(files)
  return desired.services.flatMap(({ withheld }) => withheld?.problems ?? [])
}

export const container = (line: string) => `[Container]\nImage=x\n${line}\n`
