// What the debug log learns of children and requests, and what it never learns.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { sendRequest, wholeBody } from '../../../shared/platform/http.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { onTrace, shownArguments, type Trace, trace } from '../../../shared/platform/trace.ts'

function listening(): Trace[] {
  const traces: Trace[] = []
  onTestFinished(onTrace((one) => traces.push(one)))
  return traces
}

test('each child is traced with how it ended and how long it took, and without its environment and input', async () => {
  const traces = listening()
  const run = createRun()
  const address = 'https://bot:hunter2@git.example.org/fleet?token=hunter2#hunter2'
  await run({
    args: ['sh', '-c', 'cat > /dev/null; exit 3', 'sh', address],
    environment: { SECRET: 'hunter2' },
    stdin: 'hunter2',
  })
  await run({ args: ['no-such-program'] })
  await run({ args: ['sh', '-c', 'kill -9 $$'] })
  expect(traces.map(({ message }) => message)).toEqual(['child ended', 'child ended', 'child ended'])
  expect(traces.map(({ fields }) => fields)).toMatchObject([
    { program: 'sh', exit: 3, milliseconds: expect.any(Number) },
    { program: 'no-such-program', exit: 'ENOENT' },
    { program: 'sh', exit: 'SIGKILL' },
  ])
  expect(traces[0]?.fields['args']).toContain('https://git.example.org/fleet')
  expect(JSON.stringify(traces)).not.toContain('hunter2')
})

test('of a request there is the origin and the status, and no path', async () => {
  const traces = listening()
  const server = createServer((_, response) => response.writeHead(418).end('no')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(`http://127.0.0.1:${port}/hooks/hunter2?key=hunter2`)
  await wholeBody(await sendRequest({ url, body: 'hunter2', deadlineMs: 60_000 }), 1000)
  server.close()
  await once(server, 'close')
  await expect(sendRequest({ url, deadlineMs: 60_000 })).rejects.toThrow()
  expect(traces).toMatchObject([
    { message: 'request ended', fields: { method: 'POST', origin: url.origin, outcome: 418 } },
    { message: 'request ended', fields: { method: 'GET', origin: url.origin, outcome: 'ECONNREFUSED' } },
  ])
  expect(JSON.stringify(traces)).not.toContain('hunter2')
})

test('nothing is put together while nobody listens', () => {
  let isMade = false
  trace('plan made', () => {
    isMade = true
    return {}
  })
  expect(isMade).toBe(false)
})

test('arguments are bounded in number', () => {
  const shown = shownArguments(Array.from({ length: 1000 }, () => 'x'))
  expect(shown).toHaveLength(33)
  expect(shown.at(-1)).toBe('... 968 more')
})

test('the log shortens an argument after it was masked, so that no part of a secret is left', () => {
  const script = `
    const { openLog } = await import('./shared/platform/log.ts')
    const { shownArguments, trace } = await import('./shared/platform/trace.ts')
    const maskTrace = (text) => text.replaceAll('the-whole-secret', '[secret]')
    openLog({ level: 'debug', namesProcess: false, mask: (line) => line, maskTrace })
    const args = ['x'.repeat(190) + 'the-whole-secret', 'y'.repeat(100_000)]
    trace('child ended', () => ({ program: 'sh', args: shownArguments(args) }))`
  const line = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script])
  const { msg, program, args } = JSON.parse(line.toString())
  expect({ msg, program }).toEqual({ msg: 'child ended', program: 'sh' })
  expect(args).toEqual([`${'x'.repeat(190)}[secret]`, `${'y'.repeat(200)}...`])
})

test('of an address in an argument there is no query, and what is no address stays', () => {
  const args = ['--url=https://git.example.org/a?b=hunter2 what? "x://y#hunter2"', '.https://h/?hunter2', 'a?b']
  expect(shownArguments(args)).toEqual(['--url=https://git.example.org/a what? "x://y"', '.https://h/', 'a?b'])
})
