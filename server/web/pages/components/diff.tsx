// A unified diff: numbered lines, sign and tint, the differing part of a line marked; long lines scroll in their own box.
import { type DiffLine, diffLines, type Span } from '../unified-diff.ts'
import { visibleText } from '../visible-text.ts'

type DiffProps = {
  readonly diff: string
  readonly label: string
  /** Lines beyond this many are counted, not shown. */
  readonly limit: number
}

export function Diff({ diff, label, limit }: DiffProps) {
  const lines = diffLines(diff)
  const left = lines.length - limit
  return (
    <section class="diff" aria-label={label} tabindex={0}>
      <table>
        <tbody>
          {lines.slice(0, limit).map((line) => (
            <DiffRow line={line} />
          ))}
        </tbody>
      </table>
      {left > 0 && <p class="cut">{left} more lines are not shown here.</p>}
    </section>
  )
}

function DiffRow({ line }: { readonly line: DiffLine }) {
  switch (line.kind) {
    case 'file':
    case 'hunk':
    case 'note':
      return (
        <tr class={line.kind}>
          <td class="n" />
          <td class="n" />
          <td class="t">{visibleText(line.text)}</td>
        </tr>
      )
    case 'same':
      return (
        <tr>
          <td class="n">{line.before}</td>
          <td class="n">{line.after}</td>
          <td class="t"> {visibleText(line.text)}</td>
        </tr>
      )
    case 'removed':
      return (
        <tr class="removed">
          <td class="n">{line.before}</td>
          <td class="n" />
          <td class="t">
            -<ChangedText text={line.text} changed={line.changed} />
          </td>
        </tr>
      )
    case 'added':
      return (
        <tr class="added">
          <td class="n" />
          <td class="n">{line.after}</td>
          <td class="t">
            +<ChangedText text={line.text} changed={line.changed} />
          </td>
        </tr>
      )
  }
}

function ChangedText({ text, changed }: { readonly text: string; readonly changed: Span | undefined }) {
  if (changed === undefined || changed.start === changed.end) return <>{visibleText(text)}</>
  return (
    <>
      {visibleText(text.slice(0, changed.start))}
      <mark>{visibleText(text.slice(changed.start, changed.end))}</mark>
      {visibleText(text.slice(changed.end))}
    </>
  )
}
