// What a failed service runs on with: the other of the two revisions that a failure is about.

export function runsOnText(applied: string | undefined): string {
  return applied === undefined ? 'never applied before' : `runs on with ${applied.slice(0, 12)}`
}
