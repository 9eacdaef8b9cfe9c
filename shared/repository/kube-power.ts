// The same of a file that a `.kube` quadlet plays. It is parsed, and what cannot be parsed is not passed over. Where a setting stands
// is not asked: podman takes it from pods, deployments and daemon sets. Pure.
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Pair, parseAllDocuments } from 'yaml'
import { powersOf } from './compose-power.ts'
import type { QuadletPath, QuadletPower } from './quadlet-power.ts'
import { linkedPath } from './reserved.ts'
import { withoutStackTraces, yamlCost } from './yaml-cost.ts'

export type KubeGiven = {
  readonly powers: readonly QuadletPower[]
  readonly paths: readonly QuadletPath[]
  /** Why not all of it could be judged: `is not valid YAML`. */
  readonly unread?: { readonly line: number; readonly why: string }
}

const limits = { steps: 200_000, nodes: 200_000, depth: 200 } as const

const tooMuch = { line: 1, why: 'is more than is read of a file that a .kube plays' }

export function kubeGiven(text: string): KubeGiven {
  const { steps, tooDeepAt } = yamlCost(text)
  if (tooDeepAt !== undefined || steps > limits.steps) return { powers: [], paths: [], unread: tooMuch }
  const lines = new LineCounter()
  const parsed = withoutStackTraces(() =>
    // To find doubled keys is quadratic in the package; here each of them counts.
    parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'error' }),
  )
  const documents: readonly Document[] = Array.isArray(parsed) ? parsed : []
  const [fault] = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])
  if (fault !== undefined) {
    const unread = { line: Math.max(lines.linePos(fault.pos[0]).line, 1), why: 'is not YAML that can be judged' }
    return { powers: [], paths: [], unread }
  }
  const reading: Reading = { lines, anchors: new Map(), powers: [], paths: [], nodes: 0 }
  for (const { contents } of documents) {
    reading.anchors.clear()
    visit(reading, contents, { within: '', depth: 0 })
  }
  const { powers, paths, nodes } = reading
  return { powers, paths, ...(nodes > limits.nodes ? { unread: tooMuch } : {}) }
}

type Reading = {
  readonly lines: LineCounter
  readonly anchors: Map<string, unknown>
  readonly powers: QuadletPower[]
  readonly paths: QuadletPath[]
  nodes: number
}

/** `within`: the key that holds it, in small letters. */
type Position = { readonly within: string; readonly depth: number }

function visit(reading: Reading, written: unknown, { within, depth }: Position): void {
  reading.nodes += 1
  // An alias within its own anchor has no end.
  if (depth > limits.depth) reading.nodes = limits.nodes + 1
  if (reading.nodes > limits.nodes) return
  const node = resolved(reading, written)
  if (isSeq(node)) for (const item of node.items) visit(reading, item, { within, depth: depth + 1 })
  if (!isMap(node)) return
  for (const pair of node.items) {
    const key = textOf(reading, pair.key)
    if (isNode(pair.key)) resolved(reading, pair.key)
    // What is merged is in this very map.
    const inner = key === '<<' ? within : key.toLowerCase()
    judge(reading, pair, within)
    visit(reading, pair.value, { within: inner, depth: depth + 1 })
  }
}

function resolved({ anchors }: Reading, node: unknown): unknown {
  if (isAlias(node)) return anchors.get(node.source)
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) anchors.set(node.anchor, node)
  return node
}

function textOf(reading: Reading, node: unknown): string {
  const scalar = resolved(reading, node)
  return isScalar(scalar) ? String(scalar.value ?? '') : ''
}

/** Podman does not mind the case of keys. */
function judge(reading: Reading, { key: keyNode, value: node }: Pair, within: string): void {
  const key = textOf(reading, keyNode)
  const value = textOf(reading, node)
  const line = lineOf(reading, keyNode)
  const about = { written: `${key}: ${value}`.slice(0, 200), line }
  const give = (service: Readonly<Record<string, unknown>>, written = about.written) => {
    for (const { allowance, why } of powersOf(service)) reading.powers.push({ allowance, why, written, line })
  }
  const name = key.toLowerCase()
  const given = switches[name]
  if (given !== undefined && /^(?:true|t|yes|y|on|1)$/i.test(value)) give(given)
  if (within === 'capabilities' && name === 'add') {
    const list = resolved(reading, node)
    const names = (isSeq(list) ? list.items : [list]).map((item) => textOf(reading, item)).filter((one) => one !== '')
    give({ cap_add: names }, `capabilities: ${names.join(', ')}`.slice(0, 200))
  }
  if (within === 'selinuxoptions' && name === 'type') give({ security_opt: [`label=type:${value}`] })
  if (name === 'procmount' && value.toLowerCase() === 'unmasked')
    reading.powers.push({ allowance: 'security-opt:unmask=ALL', why: whyUnmasked, ...about })
  if ((within === 'hostpath' && name === 'path') || (name === deviceOfClaim && value.startsWith('/')))
    reading.paths.push({
      ...about,
      path: linkedPath('/', value),
      written: `${pathNames[name]}: ${value}`.slice(0, 200),
    })
}

const whyUnmasked = "it shows the container what is the kernel's"

/** Of a claim, what podman makes the volume of. */
const deviceOfClaim = 'volume.podman.io/device'

const pathNames: Readonly<Record<string, string>> = { path: 'hostPath', [deviceOfClaim]: deviceOfClaim }

const switches: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  hostnetwork: { network_mode: 'host' },
  hostpid: { pid: 'host' },
  hostipc: { ipc: 'host' },
  privileged: { privileged: true },
}

function lineOf({ lines }: Reading, node: unknown): number {
  return Math.max(lines.linePos(isNode(node) ? (node.range?.[0] ?? 0) : 0).line, 1)
}
