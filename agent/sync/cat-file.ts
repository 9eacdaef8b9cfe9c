// Reads objects through one long-running `git cat-file --batch`. Not through `Run`, which returns the text of a
// finished command: objects are bytes, requested by the thousand, and a process for each would dominate the cost.

import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { Socket } from 'node:net'
import type { Command } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { minimalEnvironment, signalGroup, startChild } from '../../shared/platform/child.ts'
import { packLimits } from './pack/limits.ts'

export type CatFileOptions = {
  /** `git cat-file --batch` in a repository. */
  readonly command: Command
  /** Default 60: git counts as hung when it sends nothing for this long. */
  readonly silenceSeconds?: number
  /** Default 32 MiB: larger files are not read into memory. Trees and commits are limited by `packLimits`. */
  readonly limitBytes?: number
  /** Default 2: how long an idle git is kept for the next request. */
  readonly idleSeconds?: number
}

/** Starts git on the first request, and again when it has ended. Does not keep the agent's process alive. */
export class CatFile {
  readonly #options: CatFileOptions
  #session: Session | undefined

  constructor(options: CatFileOptions) {
    this.#options = options
  }

  /** Undefined when the object is missing. Rejects with a plain Error that says how git ended. */
  find(oid: string, kind: ObjectKind): Promise<Uint8Array | undefined> {
    if (!/^[0-9a-f]{40}$/.test(oid)) return Promise.reject(new Error(`"${oid}" is not the id of an object`))
    if (this.#session === undefined || this.#session.ended) this.#session = new Session(this.#options)
    return this.#session.ask(oid, kind)
  }

  async read(oid: string, kind: ObjectKind = 'blob'): Promise<Uint8Array> {
    const bytes = await this.find(oid, kind)
    if (bytes === undefined) throw new Error(`object ${oid} is missing`)
    return bytes
  }
}

export class ObjectTooLarge extends Error {
  override readonly name = 'ObjectTooLarge'
}

type ObjectKind = 'blob' | 'tree' | 'commit'

type Question = {
  readonly oid: string
  readonly kind: ObjectKind
  readonly answer: (bytes: Uint8Array | undefined) => void
  readonly fail: (error: Error) => void
}

class Session {
  ended = false
  readonly #child: ChildProcessWithoutNullStreams
  readonly #asked: Question[] = []
  readonly #silenceMs: number
  readonly #idleMs: number
  readonly #limitBytes: number
  #held: Buffer[] = []
  #heldBytes = 0
  /** Bytes to receive before parsing is worthwhile. */
  #needed = 1
  #timer: NodeJS.Timeout | undefined
  #said = ''

  constructor({ command, silenceSeconds = 60, idleSeconds = 2, limitBytes = 32 * 1024 * 1024 }: CatFileOptions) {
    this.#silenceMs = silenceSeconds * 1000
    this.#idleMs = idleSeconds * 1000
    this.#limitBytes = limitBytes
    const { environment, user } = command
    const [program = '', ...args] = command.args
    this.#child = startChild(program, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      environment: { ...minimalEnvironment, ...environment },
      ...compact({ user }),
    })
    this.#child.on('error', (error) => this.#end(`could not be started: ${error.message}`))
    // Without a process there may be no pipe either (EMFILE).
    if (this.#child.pid === undefined) return
    this.#child.stdout.on('data', (chunk: Buffer) => this.#hear(chunk))
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString('utf8')).slice(-1000)
    })
    this.#child.once('close', (code) => this.#end(`ended (${[code ?? 'killed', this.#said.trim()].join(': ')})`))
  }

  ask(oid: string, kind: ObjectKind): Promise<Uint8Array | undefined> {
    return new Promise((answer, fail) => {
      this.#asked.push({ oid, kind, answer, fail })
      if (this.#child.pid === undefined) return
      this.#child.stdin.write(`${oid}\n`)
      if (this.#asked.length === 1) this.#watch()
    })
  }

  #hear(chunk: Buffer): void {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes >= this.#needed) this.#answer(Buffer.concat(this.#held))
    this.#watch()
  }

  #answer(held: Buffer): void {
    let bytes = held
    for (let taken = this.#takeFrom(bytes); taken > 0; taken = this.#takeFrom(bytes)) bytes = bytes.subarray(taken)
    this.#held = [bytes]
    this.#heldBytes = bytes.length
  }

  /** `<oid> <kind> <size>\n<bytes>\n`, or `<oid> missing\n`: how many bytes the first whole answer took. */
  #takeFrom(bytes: Buffer): number {
    this.#needed = bytes.length + 1
    const line = bytes.indexOf(0x0a)
    const question = this.#asked[0]
    if (line < 0 || question === undefined) return 0
    const heading = bytes.toString('latin1', 0, line)
    const size = /^[0-9a-f]+ [a-z]+ (\d+)$/.exec(heading)?.[1]
    const end = line + 1 + Number(size ?? -1) + 1
    if (Number(size ?? 0) > this.#limitOf(question))
      return this.#refuse(question, `object ${question.oid} has ${size} bytes`)
    if (bytes.length < end) {
      this.#needed = end
      return 0
    }
    this.#asked.shift()
    // Copied, so that a retained file does not retain a whole chunk.
    if (heading === `${question.oid} ${question.kind} ${size}`)
      question.answer(Uint8Array.from(bytes.subarray(line + 1, end - 1)))
    else if (heading === `${question.oid} missing`) question.answer(undefined)
    else question.fail(new Error(`object ${question.oid} cannot be read (${heading.slice(0, 100)})`))
    return end
  }

  #limitOf({ kind }: Question): number {
    return kind === 'blob' ? this.#limitBytes : packLimits.headerBytes
  }

  /** git would keep sending the object, so it is killed; other pending requests must be repeated. */
  #refuse(question: Question, why: string): 0 {
    this.#asked.shift()
    question.fail(new ObjectTooLarge(why))
    this.#needed = Number.POSITIVE_INFINITY
    this.ended = true
    this.#kill()
    return 0
  }

  /** With requests pending, the timer detects a hang and keeps the process alive; otherwise it only ends an idle git. */
  #watch(): void {
    clearTimeout(this.#timer)
    if (this.ended) return
    const waiting = this.#asked.length > 0
    this.#timer = waiting
      ? setTimeout(() => this.#kill(), this.#silenceMs)
      : setTimeout(() => this.#finish(), this.#idleMs).unref()
    const { stdin, stdout, stderr } = this.#child
    const pipes = [stdin, stdout, stderr].filter((pipe) => pipe instanceof Socket)
    for (const held of [this.#child, ...pipes]) {
      if (waiting) held.ref()
      else held.unref()
    }
  }

  #finish(): void {
    this.ended = true
    this.#child.stdin.end()
  }

  #kill(): void {
    signalGroup(this.#child, 'SIGKILL')
  }

  #end(how: string): void {
    this.ended = true
    clearTimeout(this.#timer)
    for (const { oid, fail } of this.#asked.splice(0)) fail(new Error(`git cat-file ${how} before object ${oid}`))
  }
}
