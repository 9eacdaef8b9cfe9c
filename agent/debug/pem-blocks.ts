// Takes PEM blocks out of a text, certificates too: a reader of a bundle needs none. In one pass, since the text may be of anyone.
import { maskText } from '../../shared/mask-text.ts'

const marker = /-----(BEGIN|END) [^\n-]{1,80}-----/g
/** What a block consists of, also where its line breaks are escaped, as in JSON. */
const inside = /[A-Za-z0-9+/=\s\\]/

/** A block that was cut at one end goes as far as its characters do, and what was masked in it before. */
export function withoutPem(text: string): string {
  const markers = [...text.matchAll(marker)]
  const parts: string[] = []
  let from = 0
  for (const [index, { 0: word, 1: kind, index: at }] of markers.entries()) {
    if (at < from) continue
    const next = markers[index + 1]
    const isWhole = kind === 'BEGIN' && next?.[1] === 'END'
    const start = kind === 'BEGIN' ? at : runBefore(text, at, from)
    const end = isWhole
      ? next.index + next[0].length
      : kind === 'END'
        ? at + word.length
        : runAfter(text, at + word.length)
    parts.push(text.slice(from, start), maskText)
    from = end
  }
  return `${parts.join('')}${text.slice(from)}`
}

function runBefore(text: string, at: number, least: number): number {
  let start = at
  while (start > least) {
    if (inside.test(text[start - 1] ?? '')) start -= 1
    else if (start - maskText.length >= least && text.endsWith(maskText, start)) start -= maskText.length
    else break
  }
  return start
}

function runAfter(text: string, at: number): number {
  let end = at
  while (end < text.length) {
    if (inside.test(text[end] ?? '')) end += 1
    else if (text.startsWith(maskText, end)) end += maskText.length
    else break
  }
  return end
}
