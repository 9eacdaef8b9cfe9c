// The person who called: their account, home and environment, for what is done in their name. Under sudo that is not root: what runs in a
// clone of theirs runs as them, and finds their credentials.

import { spawn } from 'node:child_process'
import { createRun, type Run, type RunOptions } from './run.ts'

export type Operator = {
  /** Undefined: whoever runs plumb. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly run: Run
}

/** `environment` is the process's own. */
export async function operatorFrom(environment: NodeJS.ProcessEnv): Promise<Operator> {
  const path = environment['PATH']
  const options: RunOptions = path === undefined ? {} : { path }
  const run = createRun(options)
  const own = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value === undefined || isNotForGit(name) ? [] : [[name, value]],
    ),
  )
  const [uid, gid] = [Number(environment['SUDO_UID']), Number(environment['SUDO_GID'])]
  const isSudo = process.getuid?.() === 0 && Number.isSafeInteger(uid) && Number.isSafeInteger(gid) && uid > 0
  if (!isSudo) return { user: undefined, environment: own, run }
  const { name, home } = await accountOf(uid, run)
  const others = Object.entries(own).filter(([variable]) => !/^(?:SUDO_|XDG_)/.test(variable))
  return {
    user: { uid, gid },
    environment: {
      ...Object.fromEntries(others),
      HOME: home,
      ...(name === undefined ? {} : { USER: name, LOGNAME: name }),
    },
    run,
  }
}

/** A token of ours, which hooks have no business with; and what would lead git to another repository than the one that is meant. */
function isNotForGit(name: string): boolean {
  return name === 'PLUMB_TOKEN' || /^GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|PREFIX)$/.test(name)
}

async function accountOf(uid: number, run: Run): Promise<{ readonly name?: string; readonly home: string }> {
  const { code, stdout } = await run({ args: ['getent', 'passwd', String(uid)] })
  const [name, , , , , home] = stdout.trim().split(':')
  return code === 0 && name !== undefined && home ? { name, home } : { home: '/' }
}

/**
 * Runs a program that may ask the person something: it keeps the terminal, and has all the time they need. Resolves to its exit code and what
 * it said.
 */
export function runAttended(
  { user, environment }: Operator,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number; readonly output: string }> {
  const [program = '', ...rest] = args
  return new Promise((resolve) => {
    const child = spawn(program, rest, {
      cwd,
      env: process.stdin.isTTY ? environment : { ...environment, GIT_TERMINAL_PROMPT: '0' },
      stdio: [process.stdin.isTTY ? 'inherit' : 'ignore', 'pipe', 'pipe'],
      ...user,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        output = `${output}${chunk.toString('utf8')}`.slice(-limitCharacters)
      })
    child.on('error', (error) => resolve({ code: 127, output: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 1, output: output.trim() }))
  })
}

const limitCharacters = 16_384
