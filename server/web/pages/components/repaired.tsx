// What somebody had changed, as it was before the repository's policy put it back.
import { evidenceLine } from '../../../../shared/evidence-text.ts'
import { hiddenText } from '../../../../shared/hidden-text.ts'
import type { Repair } from '../../../../shared/report.ts'
import { visibleText } from '../visible-text.ts'
import { Diff } from './diff.tsx'
import { WhyAnchor } from './resource.tsx'
import { ValueChanges } from './value-changes.tsx'

const diffLinesShown = 100

type RepairedProps = { readonly repaired: readonly Repair[]; readonly host: string }

export function Repaired({ repaired, host }: RepairedProps) {
  return (
    <div>
      <p class="what">
        <b>Drift put back</b> by the repository's policy; what was there is kept: <code>plumb restore</code> on the host
      </p>
      <ul class="findings">
        {repaired.map(({ finding }) => (
          <li>
            <span>{visibleText(finding.summary)}</span> <WhyAnchor source={finding.source} host={host} />
            <p class="by">{visibleText(evidenceLine(finding.evidence) ?? '')}</p>
            <ValueChanges finding={finding} />
            {finding.diff !== undefined && (
              <details>
                <summary>What was changed</summary>
                <Diff diff={finding.diff} label={`Put back: ${finding.summary}`} limit={diffLinesShown} />
              </details>
            )}
            {finding.diffHidden !== undefined && <p class="more">{visibleText(hiddenText(finding.diffHidden))}</p>}
            {finding.diffCut && <p class="more">Its diff was too large to be kept whole.</p>}
          </li>
        ))}
      </ul>
    </div>
  )
}
