// The person who called: their account, home and environment, for what is done in their name. Under sudo that is not
// root: what runs in a clone of theirs runs as them, and finds their credentials.

import { withoutUserInformation } from '../../shared/address.ts'
import type { Account, Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { minimalEnvironment, startChild } from '../../shared/platform/child.ts'
import { createRun, type RunOptions } from '../../shared/platform/run.ts'
import { endingSignals } from './interruptible.ts'

export type Operator = {
  /** Undefined: the user who runs plumb. */
  readonly user: Account | undefined
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
      value === undefined || !isForGit(name) ? [] : [[name, value]],
    ),
  )
  const [uid, gid] = [Number(environment['SUDO_UID']), Number(environment['SUDO_GID'])]
  const isSudo = process.getuid?.() === 0 && Number.isSafeInteger(uid) && Number.isSafeInteger(gid) && uid > 0
  if (!isSudo) return { user: undefined, environment: own, run }
  // By root, so not found by the caller's PATH.
  const { name, home } = await accountOf(uid, createRun())
  const others = Object.entries(own).filter(([variable]) => !variable.startsWith('XDG_'))
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

/**
 * What the person's git needs to find their settings, identity, keys and way to the remote. Everything else stays here:
 * a token of ours, what would lead git to another repository than the one that is meant, and what changes how programs
 * are loaded.
 */
function isForGit(name: string): boolean {
  return forGit.some((pattern) => pattern.test(name))
}

const forGit = [
  /^(?:PATH|HOME|USER|LOGNAME|TZ|TERM|LANG|LANGUAGE|LC_\w+|EMAIL)$/,
  /^(?:SSH_(?:AUTH_SOCK|AGENT_PID|ASKPASS|ASKPASS_REQUIRE)|GPG_(?:AGENT_INFO|TTY)|GNUPGHOME|KRB5CCNAME)$/,
  /^(?:DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|DBUS_SESSION_BUS_ADDRESS|XDG_(?:CONFIG_HOME|CONFIG_DIRS|DATA_HOME|RUNTIME_DIR))$/,
  /^(?:https?|all|no|HTTPS?|ALL|NO)_(?:proxy|PROXY)$/,
  /^GIT_(?:(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL|DATE)|SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|TERMINAL_PROMPT|SSL_\w+)$/,
  /^GIT_CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)$/,
]

async function accountOf(uid: number, run: Run): Promise<{ readonly name?: string; readonly home: string }> {
  const { code, stdout } = await run({ args: ['getent', 'passwd', String(uid)] })
  const [name, , , , , home] = stdout.trim().split(':')
  return code === 0 && name !== undefined && home ? { name, home } : { home: '/' }
}

/** With the group that the host's database gives the user; a user it does not know is in the group of the same number. */
export async function accountWithGroup(uid: number, run: Run): Promise<Account> {
  const { code, stdout } = await run({ args: ['getent', 'passwd', String(uid)] })
  const gid = Number(stdout.split(':')[3])
  return { uid, gid: code === 0 && Number.isSafeInteger(gid) ? gid : uid }
}

/**
 * Runs a program that may ask the person something: it keeps the terminal, and has all the time they need. Resolves to
 * its exit code and what it said.
 */
export function runAttended(
  { user, environment }: Operator,
  args: readonly string[],
): Promise<{ readonly code: number; readonly output: string }> {
  const [program = '', ...rest] = args
  return new Promise((resolve) => {
    const child = startChild(program, rest, {
      environment: {
        ...minimalEnvironment,
        ...environment,
        ...(process.stdin.isTTY ? {} : { GIT_TERMINAL_PROMPT: '0' }),
      },
      stdio: [process.stdin.isTTY ? 'inherit' : 'ignore', 'pipe', 'pipe'],
      ...compact({ user }),
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        output = `${output}${chunk.toString('utf8')}`.slice(-limitCharacters)
      })
    // Of the terminal it gets them by itself; of another process only we do.
    const pass = (signal: NodeJS.Signals) => void child.kill(signal)
    for (const signal of endingSignals) process.on(signal, pass)
    const end = (code: number, said: string) => {
      for (const signal of endingSignals) process.removeListener(signal, pass)
      resolve({ code, output: said })
    }
    child.on('error', (error) => end(127, error.message))
    child.on('close', (code) => end(code ?? 1, withoutUserInformation(output.trim())))
  })
}

const limitCharacters = 16_384
