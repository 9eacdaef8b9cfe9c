import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openAgent } from '../../agent/commands/open.ts'
import { passesOf } from '../../agent/pass.ts'
import { makeJob } from './job.ts'
const n = Number(process.argv[2] ?? 10000)
const work = `/tmp/prof-${n}`
const repository = join(work, 'repository'); const root = join(work, 'root'); const state = join(work, 'state')
if (!existsSync(work)) {
  mkdirSync(root, { recursive: true }); makeJob(repository, n)
  execFileSync('scripts/plumb', ['apply', '--repo', repository, '--host', 'bench', '--root', root, '--state', state], { stdio: 'inherit' })
  await new Promise((r) => setTimeout(r, 2500))
}
const { agent } = await openAgent({ repo: repository, root, state, host: 'bench' })
const pass = passesOf(agent)
await pass({ sync: true, full: true, onChange: () => {} })
for (let i = 0; i < 5; i++) await pass({ sync: false, full: false, onChange: () => {} })
const rounds = Number(process.argv[3] ?? 30)
const cpu = process.cpuUsage(); const t = performance.now()
for (let i = 0; i < rounds; i++) await pass({ sync: false, full: false, onChange: () => {} })
const c = process.cpuUsage(cpu)
console.log(`by stat: cpu ${((c.user + c.system) / 1000 / rounds).toFixed(1)} ms (sys ${(c.system/1000/rounds).toFixed(1)}), wall ${((performance.now() - t) / rounds).toFixed(1)} ms a pass; rss ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)}`)
const cpu2 = process.cpuUsage(); const t2 = performance.now()
for (let i = 0; i < 5; i++) await pass({ sync: false, full: true, onChange: () => {} })
const c2 = process.cpuUsage(cpu2)
console.log(`full: cpu ${((c2.user + c2.system) / 1000 / 5).toFixed(1)} ms, wall ${((performance.now() - t2) / 5).toFixed(1)} ms a pass`)
