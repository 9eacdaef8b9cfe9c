// ./apply of a fleet: what it fetches is checked by its SHA-256, whoever vouches for the server.
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/git.ts'

const agent = gzipSync('#!/bin/sh\necho an agent\n')

async function selfSigned(): Promise<string> {
  const server = https.createServer(await makeCertificate('127.0.0.1'), (_, response) => response.end(agent))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/agent.gz`
}

/** The script's own function, with another place to install to. */
async function installPinned(sha256: string, { without = [] }: { readonly without?: readonly string[] } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-apply-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  await mkdir(join(directory, '.plumb'))
  const url = await selfSigned()
  const pins = ['x64', 'arm64'].map((platform) => `linux-${platform} ${sha256} ${url}\n`)
  await writeFile(join(directory, '.plumb/agent'), `version 0.0.0-test\n${pins.join('')}`)
  const script = await readFile(join(import.meta.dirname, '../../examples/fleet/apply'), 'utf8')
  const text = [
    script.replace(/^main "\$@"$/m, ''),
    `repository=${directory}`,
    `install_file() { cp "$1" ${directory}/installed; }`,
    ...without.map((name) => `command() { [ "$2" != ${name} ] && builtin command "$@"; }`),
    'install_pinned',
  ].join('\n')
  const code = await new Promise<number>((resolve) => {
    execFile('bash', ['-c', text], (error) => resolve(typeof error?.code === 'number' ? error.code : 0))
  })
  return { code, installed: await readFile(join(directory, 'installed'), 'utf8').catch(() => undefined) }
}

test.each([[[]], [['curl']]])('a pinned agent comes from a self-signed server, without %j', async (without) => {
  const sha256 = hash('sha256', agent, 'hex')
  expect(await installPinned(sha256, { without })).toEqual({ code: 0, installed: '#!/bin/sh\necho an agent\n' })
})

test('another agent than the pinned one is not installed', async () => {
  expect(await installPinned('0'.repeat(64))).toEqual({ code: 1, installed: undefined })
})
