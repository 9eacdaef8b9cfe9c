// `npm test`: every test that can run on this machine; says in one line what was left out and why.
// `npm test -- test/agent` passes its arguments to vitest.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const leftOut: string[] = []
if (process.getuid?.() !== 0) leftOut.push('booted hosts, owners and mounts (not root)')
else if (!existsSync('/etc/debian_version')) leftOut.push('booted hosts (not Debian)')
if (!existsSync('/usr/sbin/sshd') && !existsSync('build/sshd')) leftOut.push('ssh remotes (no sshd)')
if (!existsSync('/usr/bin/chromium')) leftOut.push('the browser (no /usr/bin/chromium)')

if (process.env['PLUMB_LEAVE_NOTHING_OUT'] === '1' && leftOut.length > 0) {
  console.error(`test: nothing may be left out here, but this machine cannot run: ${leftOut.join('; ')}`)
  process.exit(1)
}
console.log(leftOut.length === 0 ? 'test: nothing is left out' : `test: left out: ${leftOut.join('; ')}`)

const run = spawnSync('node_modules/.bin/vitest', ['run', ...process.argv.slice(2)], { stdio: 'inherit' })
process.exitCode = run.status ?? 1
