// The settings in the text of a unit file or drop-in (systemd.syntax(7)), as they are written. Pure.

export type UnitSetting = {
  /** `Service` */
  readonly section: string
  readonly key: string
  /** Without white space around it; of several lines joined by backslashes, one. */
  readonly value: string
  /** From 1; of the first line. */
  readonly line: number
}

export function unitSettings(text: string): readonly UnitSetting[] {
  const settings: UnitSetting[] = []
  let section = ''
  let begun: { readonly text: string; readonly line: number } | undefined
  for (const [index, written] of text.split(/\r?\n/).entries()) {
    // Comments within a setting of several lines are passed over.
    if (/^\s*[#;]/.test(written)) continue
    const { text: before, line } = begun ?? { text: '', line: index + 1 }
    if (written.endsWith('\\')) {
      begun = { text: `${before}${written.slice(0, -1)} `, line }
      continue
    }
    begun = undefined
    const whole = `${before}${written}`
    section = /^\s*\[([^\]]+)\]\s*$/.exec(whole)?.[1] ?? section
    // White space is trimmed apart from the expression, which would try each of its lengths.
    const [, key, value = ''] = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=([\s\S]*)$/.exec(whole) ?? []
    if (key !== undefined) settings.push({ section, key, value: value.trim(), line })
  }
  return settings
}
