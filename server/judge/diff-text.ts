// Findings of one service as alert text: summaries with evidence, and their unified diffs joined into one bounded text.
import { changeLines } from '../../shared/change-text.ts'
import { evidenceLine } from '../../shared/evidence-text.ts'
import { diffLimitBytes, type Finding } from '../../shared/finding.ts'
import { hiddenText } from '../../shared/hidden-text.ts'
import { repairLoopText } from '../../shared/repair-loop-text.ts'

const summariesShown = 20
const evidenceShown = 5

/** The first findings have an evidence line each. Evidence names who was on the host at that time, not who made the change. */
export function findingsText(findings: readonly Finding[]): string {
  const listed = findings.slice(0, summariesShown)
  const shown = listed.flatMap(({ summary, evidence, fight: loop }, index) => {
    const line = index < evidenceShown ? evidenceLine(evidence) : undefined
    const beside = [...(loop === undefined ? [] : [repairLoopText(loop)]), ...(line === undefined ? [] : [line])]
    return [summary, ...beside.map((text) => `  ${text}`)]
  })
  const rest = findings.length - listed.length
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}

const changesShown = 20

/**
 * Undefined when no finding has a diff. Omissions are stated in the text. Differing JSON and YAML values come before
 * the line diff.
 */
export function diffText(findings: readonly Finding[]): string | undefined {
  const parts: string[] = []
  let size = 0
  const withDiff = findings.filter(
    ({ diff, diffHidden, changes = [] }) => diff !== undefined || diffHidden !== undefined || changes.length > 0,
  )
  for (const [index, finding] of withDiff.entries()) {
    const { diffCut, resource } = finding
    const diff = `${changesText(finding)}${finding.diff ?? ''}${hiddenPart(finding)}`
    if (size + diff.length > diffLimitBytes) {
      parts.push(`[the diffs of ${withDiff.length - index} more resources are left out]\n`)
      break
    }
    parts.push(diff.endsWith('\n') || diff === '' ? diff : `${diff}\n`)
    if (diffCut) parts.push(`[the diff of ${resource} is cut here]\n`)
    size += diff.length
  }
  return parts.length === 0 ? undefined : parts.join('')
}

function hiddenPart({ resource, diffHidden }: Finding): string {
  return diffHidden === undefined ? '' : `${resource}: ${hiddenText(diffHidden)}\n`
}

function changesText(finding: Finding): string {
  const lines = changeLines(finding, changesShown)
  return lines.length === 0 ? '' : `${finding.resource}\n${lines.join('\n')}\n`
}
