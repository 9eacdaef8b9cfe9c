// A command on a terminal of its own, made by `script` (util-linux; Debian's bsdutils, which every Debian has), answered like a person would.
//   const { code, shown } = await onTerminal('plumb adopt /etc/motd', { answers: [{ to: 'Why', keys: 'because\r' }] })
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'

/** Why there is no terminal to be had; null: there is. */
export function terminalUnavailable(): string | null {
  return existsSync('/usr/bin/script') ? null : 'no /usr/bin/script: apt-get install bsdutils'
}

export type Answer = {
  /** Once the terminal shows this, behind what was answered before. */
  readonly to: string
  readonly keys: string
}

export type OnTerminal = {
  readonly answers: readonly Answer[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Arguments of what it is run by, on another machine or as another user: the terminal is there. */
  readonly through?: readonly string[]
}

export const controlC = '\u0003'
export const controlD = '\u0004'

/** The line is for /bin/sh, as it was typed. `shown` is the text that the terminal showed. */
export async function onTerminal(line: string, { answers, env = {}, cwd, through = [] }: OnTerminal) {
  const script = ['/usr/bin/script', '--quiet', '--return', '--flush', '--command', line, '/dev/null']
  const [program = '', ...args] = [...through, ...script]
  const child = spawn(program, args, {
    env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm', ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
  let shown = ''
  let from = 0
  const left = [...answers]
  const hear = (chunk: Buffer) => {
    shown += chunk.toString('utf8')
    const [next] = left
    const at = next === undefined ? -1 : shown.indexOf(next.to, from)
    if (next === undefined || at === -1) return
    from = at + next.to.length
    left.shift()
    child.stdin.write(next.keys)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  child.stdin.on('error', () => {})
  const [code, signal] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : -1, signal, shown: textOf(shown), unanswered: left }
}

/** Without the sequences that move the cursor and clear lines. */
function textOf(shown: string): string {
  return shown
    .split('\u001b')
    .map((part, index) => (index === 0 ? part : part.replace(/^\[[\d;?]*[A-Za-z]/, '')))
    .join('')
    .replaceAll(/\r+\n/g, '\n')
}
