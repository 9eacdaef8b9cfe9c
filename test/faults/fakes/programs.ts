// Fake hosts behind real programs: a directory of small scripts that ask, over a port of the loopback, what the fake host of
// the directory they stand in answers. As with systemd and dockerd, what was asked is done although the asking program dies.
// A process for each question would be most of an apply's time: an agent under test asks over its channel to the suite instead,
// and starts the program only where it is to be killed at that (asking.ts).
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Answer, type Asked, answer, type FakeHost, fakePrograms } from './fake-host.ts'

export type FakePrograms = {
  /** Makes the programs in a directory `bin` of the world; copied with the world, they ask for the copy. */
  place(world: string): void
  /** Whom the programs in this world's `bin` ask. */
  serve(world: string, host: FakeHost): void
  forget(world: string): void
  /** What a program in this world's `bin` would say. */
  answerIn(world: string, asked: Asked): Answer
  close(): Promise<void>
}

/** `directory`: where the script is kept that all programs are links to. */
export async function fakeProgramsIn(directory: string): Promise<FakePrograms> {
  const hosts = new Map<string, FakeHost>()
  let answers = 0
  const server = createServer((socket) => {
    answers += 1
    serveOne(socket, hosts, join(directory, `answer-${answers}`))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const script = join(directory, 'ask-fake-host')
  writeFileSync(script, scriptFor(address.port))
  chmodSync(script, 0o755)
  return {
    place: (world) => {
      mkdirSync(join(world, 'bin'), { recursive: true })
      for (const program of Object.keys(fakePrograms)) symlinkSync(script, join(world, 'bin', program))
    },
    serve: (world, host) => hosts.set(world, host),
    forget: (world) => hosts.delete(world),
    answerIn: (world, asked) => answerOf(hosts, world, asked),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/**
 * bash reads a socket byte by byte, so that the answer itself is given in a file, which is gone when it was read.
 *
 * bash, for its /dev/tcp: nothing else has to be there, and it starts in 2 ms.
 */
function scriptFor(port: number): string {
  return `#!/bin/bash
# A fake: asks the fault suite (test/faults/fakes/programs.ts) what to answer.
world=\${0%/bin/*}
IFS= read -r -d '' input
exec 3<>/dev/tcp/127.0.0.1/${port} || exit 70
printf '%s\\0' "$(($# + 3))" "$world" "\${0##*/}" "$@" "$input" >&3
IFS= read -r -d '' answer <&3
mapfile -d '' -t parts <"$answer"
printf %s "\${parts[1]}"
printf %s "\${parts[2]}" >&2
exit "\${parts[0]:-71}"
`
}

function serveOne(socket: Socket, hosts: ReadonlyMap<string, FakeHost>, path: string): void {
  let heard = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined)
  socket.on('close', () => rmSync(path, { force: true }))
  socket.on('data', (text: string) => {
    heard += text
    const [count = '', ...fields] = heard.split('\0')
    if (fields.length <= Number(count) || count === '') return
    const [world = '', program = '', ...rest] = fields.slice(0, Number(count))
    const stdin = rest.pop() ?? ''
    const { code, stdout, stderr } = answerOf(hosts, world, { args: [program, ...rest], stdin })
    writeFileSync(path, `${code}\0${stdout}\0${stderr}\0`)
    socket.write(`${path}\0`)
  })
}

function answerOf(hosts: ReadonlyMap<string, FakeHost>, world: string, asked: Asked): Answer {
  const host = hosts.get(world)
  return host === undefined
    ? { code: 72, stdout: '', stderr: `there is no fake host for ${world}` }
    : answer(host, asked)
}
