// What a verb prints: lines for people, or with --json one document for programs.

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
      const lines = json === true ? [JSON.stringify(result.json, undefined, 2)] : result.text
      if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
    },
    progress: (line) => void (json === true ? process.stderr : process.stdout).write(`${line}\n`),
  }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
