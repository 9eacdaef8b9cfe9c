// Run by races.test.ts as an ordinary user: exchanges its own directory, and what is in it, for links that lead out of it,
// as fast as it can; says how often it did. Ends when nobody listens any more.
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, symlinkSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const [, , home = ''] = process.argv
const [app, spare, trap] = [join(home, 'app'), join(home, 'spare'), join(home, 'trap')]
const told = 500
let swaps = 0
let cycles = 0

symlinkSync('../outside', trap)
writeSync(1, '0\n')
for (;;) {
  cycles += 1
  const before = swaps
  tried(() => renameSync(app, spare))
  tried(() => {
    renameSync(trap, app)
    swaps += 1
  })
  tried(() => renameSync(app, trap))
  tried(() => renameSync(spare, app))
  if (swaps % 16 === 0) tried(exchangeWhatIsInIt)
  if (swaps === before) setRight()
  else if (swaps % told === 0) writeSync(1, `${swaps}\n`)
}

/** Also what an apply stages there, and what it keeps of what was there before. */
function exchangeWhatIsInIt(): void {
  for (const name of readdirSync(app)) {
    const at = join(app, name)
    if (lstatSync(at).isDirectory()) continue
    unlinkSync(at)
    symlinkSync(`../../outside/${name.startsWith('.plumb-') ? 'f' : name}`, at)
  }
}

/** Root made or removed the directory in the midst of an exchange. */
function setRight(): void {
  tried(() => {
    if (lstatSync(app).isSymbolicLink()) unlinkSync(app)
  })
  tried(() => renameSync(spare, app))
  tried(() => {
    if (existsSync(spare)) renameSync(spare, join(home, `old-${cycles}`))
  })
  tried(() => mkdirSync(app))
  tried(() => symlinkSync('../outside', trap))
}

function tried(work: () => void): void {
  try {
    work()
  } catch {
    // Whoever is faster.
  }
}
