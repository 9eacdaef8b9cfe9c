// `npm run bench -- alerts [EDITS]`: the lab test of events with more edits. A real host, agent, server and webhook; about 2 s an edit.
import { spawnSync } from 'node:child_process'

const edits = process.argv[3] ?? '500'
const args = ['run', '--project', 'lab', 'test/lab/watch.test.ts', '--testNamePattern', 'edits raises an alert']
const env = { ...process.env, PLUMB_BENCH_EDITS: edits }
process.exitCode = spawnSync('vitest', args, { stdio: 'inherit', env }).status ?? 1
