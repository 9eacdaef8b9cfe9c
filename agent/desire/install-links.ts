// What `systemctl enable` makes of the [Install] section of a unit: links below /etc/systemd/system. Pure.

/**
 * `multi-user.target.wants/web.service`, sorted. `text`: of the unit file, followed by those of its drop-ins. Undefined where
 * only systemd knows: specifiers, and aliases of instances.
 */
export function installLinks(unit: string, text: string): readonly string[] | undefined {
  const settings = installSettings(text)
  const isInstance = unit.includes('@')
  const names = [...settings.values()].flat()
  if (names.some((name) => name.includes('%'))) return undefined
  const aliases = (settings.get('Alias') ?? []).filter((alias) => alias !== unit)
  if (isInstance && aliases.length > 0) return undefined
  const links = [
    ...(settings.get('WantedBy') ?? []).map((target) => `${target}.wants/${unit}`),
    ...(settings.get('RequiredBy') ?? []).map((target) => `${target}.requires/${unit}`),
    ...aliases,
  ]
  return [...new Set(links)].toSorted()
}

/** `UpheldBy=` is not among them: systemd before 254 does not know it. */
const keys: ReadonlySet<string> = new Set(['WantedBy', 'RequiredBy', 'Alias'])

/** Values add up; an empty one discards those before it. */
function installSettings(text: string): ReadonlyMap<string, readonly string[]> {
  const settings = new Map<string, readonly string[]>()
  let section = ''
  for (const line of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    section = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1] ?? section
    const [, key = '', value = ''] = /^\s*([A-Za-z]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (section !== 'Install' || !keys.has(key)) continue
    const names = value.split(/\s+/).filter((name) => name !== '')
    settings.set(key, names.length === 0 ? [] : [...(settings.get(key) ?? []), ...names])
  }
  return settings
}
