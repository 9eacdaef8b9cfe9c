// What differs in a JSON or YAML file, value by value: what was last applied and what is on the host.
import type { Finding, ValueChange } from '../../../../shared/finding.ts'
import { visibleText } from '../visible-text.ts'

export function ValueChanges({ finding }: { readonly finding: Finding }) {
  const { changes, changesCut } = finding
  if (changes === undefined) return null
  if (changes.length === 0)
    return <p class="by">Only formatting and order differ: both versions hold the same values.</p>
  return (
    <div class="value-changes">
      <table>
        <caption>{countedText(changes.length)}</caption>
        <thead>
          <tr>
            <th scope="col">Value</th>
            <th scope="col">Last applied</th>
            <th scope="col">On the host</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <ChangeRow change={change} />
          ))}
        </tbody>
      </table>
      {changesCut === true && <p class="by">More values differ than a report may carry.</p>}
    </div>
  )
}

function ChangeRow({ change }: { readonly change: ValueChange }) {
  return (
    <tr>
      <th scope="row">
        <code>{visibleText(change.path)}</code>
      </th>
      <td>
        {change.expected === undefined ? <Absent /> : <code class="expected">{visibleText(change.expected)}</code>}
      </td>
      <td>{change.live === undefined ? <Absent /> : <code class="here">{visibleText(change.live)}</code>}</td>
    </tr>
  )
}

function Absent() {
  return <span class="by">not there</span>
}

function countedText(count: number): string {
  return count === 1 ? '1 value differs' : `${count} values differ`
}
