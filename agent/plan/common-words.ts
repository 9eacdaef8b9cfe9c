// Values that are no secret by what they say: the words of our own sentences, of settings, and short numbers. Masked everywhere, they
// would take the service's name, the step and half of the remedy out of a report, and say what they are by what is missing.

/** In any case, as a whole word. */
export function isCommonWord(value: string): boolean {
  const plain = value.trim().toLowerCase()
  return words.has(plain) || /^[0-9]{1,5}$/.test(plain)
}

const words: ReadonlySet<string> = new Set(
  `true false none null auto always never default enabled disabled enable disable required optional
  active inactive failed running stopped started missing masked loaded reload restart start stop exited healthy unhealthy
  file files directory directories symlink link path unit units package packages container containers service services
  project volume network mount host hosts group user users owner mode content type state size
  root admin administrator nobody daemon www-data localhost local main master test testing example demo guest public private
  applied apply check plan repair hold release restore remove removed delete keep sync status update upgrade change changed
  command commands exit code error warning problem value values name names line lines
  secret secrets password passwd token login key keys server client agent
  caddy nginx apache docker podman postgres postgresql mysql mariadb redis grafana prometheus systemd plumb plumbline
  and are been does from have into more must other that their them then there they this what when where which will with without
  http https info debug production development staging`
    .split(/\s+/)
    .filter((word) => word !== ''),
)
