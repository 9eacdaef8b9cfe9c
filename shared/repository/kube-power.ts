// The same of a file that a `.kube` quadlet plays. Not a parser of it: what looks like one of these settings is one. Pure.
import { powersOf } from './compose-power.ts'
import type { QuadletPath, QuadletPower } from './quadlet-power.ts'

export function kubePowers(text: string): readonly QuadletPower[] {
  return linesOf(text)
    .flatMap(({ line, text: written }) => {
      const [, key = ''] =
        /(?:^|[\s{,-])["']?(hostNetwork|hostPID|hostIPC|privileged)["']?:\s*["']?true\b/.exec(written) ?? []
      const field = fields[key]
      return field === undefined ? [] : named(field, written, line)
    })
    .concat(capabilitiesIn(text))
}

/** `hostPath: { path: /srv }`, on one line or several. */
export function kubePaths(text: string): readonly QuadletPath[] {
  return [...text.matchAll(/hostPath["']?:\s*\{?[^}]*?\bpath["']?:\s*["']?(\/[^\s"',}]*)/g)].map((match) => {
    const [, path = '/'] = match
    return { path: path.replace(/(?<=.)\/+$/, ''), written: `hostPath: ${path}`, line: lineAt(text, match.index) }
  })
}

const fields: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  hostNetwork: { network_mode: 'host' },
  hostPID: { pid: 'host' },
  hostIPC: { ipc: 'host' },
  privileged: { privileged: true },
}

function capabilitiesIn(text: string): readonly QuadletPower[] {
  return [...text.matchAll(/\badd["']?:\s*((?:\[[^\]]*\])|(?:\n\s*-\s*["']?[A-Z_]+["']?)+)/g)].flatMap((match) => {
    const names = (match[1] ?? '').match(/[A-Z][A-Z_]+/g) ?? []
    return named({ cap_add: names }, `capabilities: ${names.join(', ')}`, lineAt(text, match.index))
  })
}

function named(service: Readonly<Record<string, unknown>>, written: string, line: number): readonly QuadletPower[] {
  const about = { written: written.trim().slice(0, 200), line }
  return powersOf(service).map(({ allowance, why }) => ({ allowance, why, ...about }))
}

function linesOf(text: string): readonly { readonly line: number; readonly text: string }[] {
  return text.split('\n').map((written, index) => ({ line: index + 1, text: written.replace(/(?:^|\s)#.*$/, '') }))
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
