// Permissions that were written as a number. YAML 1.1 reads `0644` as 420, and so some tools write 420 and mean 0644; YAML 1.2 reads
// it as 644.

/** What it most likely means first; not all of these are permissions. */
export function modesMeant(source: string): readonly string[] {
  const octal = /^0o([0-7]+)$/.exec(source)?.[1]
  if (octal !== undefined) return [`0${octal}`]
  const fromNumber = /^(?:[1-9][0-9]*|0x[0-9a-fA-F]+)$/.test(source) ? [`0${Number(source).toString(8)}`] : []
  return isLikely(source) ? [source, ...fromNumber] : [...fromNumber.filter(isLikely), source, ...fromNumber]
}

/** The owner may do what the group may, and the group what others may. */
function isLikely(mode: string): boolean {
  if (!/^0?[0-7]?[0-7]{3}$/.test(mode)) return false
  const [owner = 0, group = 0, others = 0] = [...mode.slice(-3)].map(Number)
  return (owner & 4) !== 0 && (group & ~owner) === 0 && (others & ~group) === 0
}
