// What a verb prints: lines for people, or with --json one document for programs. The only place that writes to the terminal: text from
// a repository, a host or another program is made visible here, so that nothing of it is obeyed.
import { createInterface, type Interface } from 'node:readline/promises'
import { StringDecoder } from 'node:string_decoder'
import { withoutUserInformation } from '../../shared/address.ts'
import { visibleJson, visibleText } from '../../shared/visible-text.ts'

export type Output = {
  print(result: { readonly json: unknown; readonly text: readonly string[] }): void
  /** A line about work under way; with --json on stderr, so that it does not mix with the document. */
  progress(line: string): void
}

/** A terminal that went away - an apply can cut off whoever started it - is no reason to stop halfway. */
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

/** To be called before an apply: it may be what takes the terminal away. */
export function goOnWithoutTerminal(): void {
  process.on('SIGHUP', () => undefined)
}

export function outputTo({ json }: { readonly json?: boolean }): Output {
  return {
    print: (result) => {
      if (json === true) process.stdout.write(`${visibleJson(JSON.stringify(result.json, undefined, 2))}\n`)
      else if (result.text.length > 0) process.stdout.write(`${visibleText(result.text.join('\n'))}\n`)
    },
    progress: (line) => void (json === true ? process.stderr : process.stdout).write(`${visibleText(line)}\n`),
  }
}

/** Whole lines. */
export function printText(text: string): void {
  process.stdout.write(visibleText(text))
}

/** What went wrong, on stderr. */
export function printFailure(text: string): void {
  process.stderr.write(`${visibleText(text)}\n`)
}

/** Of the parser of the command line: it ends its lines itself, and repeats arguments that it does not expect. */
export const usageOutput = {
  writeOut: printText,
  writeErr: (text: string) => void process.stderr.write(visibleText(withoutUserInformation(text))),
}

/** A file's content: byte by byte where it is piped, visible on a terminal. */
export async function printContent(parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  const decoder = new StringDecoder('utf8')
  for await (const part of parts) {
    await written(process.stdout.isTTY ? visibleText(decoder.write(Buffer.from(part))) : part)
  }
  if (process.stdout.isTTY) await written(visibleText(decoder.end()))
}

/** On stderr, so that standard output stays what it is. Control-D: an empty answer. */
export async function answerTo(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  endOnInterrupt(terminal)
  // A terminal that went away (EIO) is an answer that does not come.
  terminal.on('error', () => terminal.close())
  try {
    return await terminal.question(visibleText(question))
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error
    process.stderr.write('\n')
    return ''
  } finally {
    terminal.close()
  }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A key here and no signal, while the terminal is read key by key. Sent at once, before an answer that is merely missing. */
function endOnInterrupt(terminal: Interface): void {
  terminal.on('SIGINT', () => {
    process.stderr.write('\n')
    process.emit('SIGINT', 'SIGINT')
  })
}

function written(part: Uint8Array | string): Promise<void> {
  return new Promise((done, failed) => {
    process.stdout.write(part, (error) => (error ? failed(error) : done()))
  })
}
