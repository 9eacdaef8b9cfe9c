// How the time of work grows with its size, on a machine of whatever speed.

/** The best of three of processor times; a time near zero counts as 10 ms. */
export function timeRatio(one: () => void, other: () => void): number {
  one()
  return Math.min(...[1, 2, 3].map(() => timeOf(other) / timeOf(one)))
}

function timeOf(work: () => void): number {
  const before = process.cpuUsage().user
  work()
  return Math.max(process.cpuUsage().user - before, 10_000)
}
