// `npm run check`: format and lint, types, boundaries, dead code, words. Runs all of them, then says which failed.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

type CheckStep = {
  readonly name: string
  readonly args: readonly [string, ...string[]]
  /** What the output of a run that really looked at something contains: a tool that found no files must not pass. */
  readonly looked: (output: string) => boolean
}

const steps: readonly CheckStep[] = [
  { name: 'format and lint', args: ['biome', 'ci', '--colors=off', '.'], looked: atLeast(/Checked (\d+) files/, 50) },
  { name: 'types', args: ['tsc', '--noEmit', '--listFilesOnly'], looked: (output) => output.split('\n').length > 100 },
  { name: 'types', args: ['tsc', '--noEmit'], looked: () => true },
  {
    name: 'boundaries',
    args: ['depcruise', '--config', '.dependency-cruiser.mjs', 'agent', 'server', 'shared'],
    looked: atLeast(/\((\d+) modules/, 50),
  },
  { name: 'dead code', args: ['knip', '--no-progress'], looked: () => true },
  { name: 'words', args: ['node', 'scripts/words.ts'], looked: atLeast(/Looked at (\d+) files/, 30) },
]

// Node 26 for the tools too, also when this is not started by npm.
const env = { ...process.env, PATH: `${resolve('node_modules/.bin')}:${process.env['PATH']}`, NO_COLOR: '1' }
let failed = false
for (const { name, args, looked } of steps) {
  const [program, ...rest] = args
  const run = spawnSync(`node_modules/.bin/${program}`, rest, { encoding: 'utf8', maxBuffer: 1 << 28, env })
  const output = `${run.stdout}${run.stderr}`
  const passed = run.status === 0 && looked(output)
  if (passed) console.log(`ok      ${name} (${args.join(' ')})`)
  else {
    failed = true
    console.log(`FAILED  ${name} (${args.join(' ')})${run.status === 0 ? ': it looked at too little' : ''}\n${output}`)
  }
}
process.exitCode = failed ? 1 : 0

function atLeast(pattern: RegExp, least: number): (output: string) => boolean {
  return (output) => Number(pattern.exec(output)?.[1] ?? 0) >= least
}
