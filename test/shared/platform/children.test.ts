// What a child gets, whoever starts it and from wherever: the directory /, the listed variables, the umask 022.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operatorFrom, runAttended } from '../../../agent/host/operator.ts'
import { runTrigger } from '../../../agent/host/triggers.ts'
import { validateTree } from '../../../agent/host/validate-tree.ts'
import { createGit } from '../../../server/repository/git.ts'
import { startChild } from '../../../shared/platform/child.ts'
import { createRun } from '../../../shared/platform/run.ts'

const telling = 'pwd; umask; env | sed "s/=.*//" | sort | tr "\\n" " "'
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const usual = '/\n0022\nHOME LANG PATH PWD '
let elsewhere: string
let before: { readonly directory: string; readonly umask: number }

beforeAll(() => {
  elsewhere = mkdtempSync(join(tmpdir(), 'plumb-caller-'))
  before = { directory: process.cwd(), umask: process.umask(0) }
  process.chdir(elsewhere)
  process.env['PLUMB_LEAK'] = 'of the caller'
  process.env['PYTHONPATH'] = elsewhere
})
afterAll(() => {
  process.chdir(before.directory)
  process.umask(before.umask)
  for (const name of ['PLUMB_LEAK', 'PYTHONPATH']) delete process.env[name]
  rmSync(elsewhere, { recursive: true })
})

describe('started by a caller in a directory, with variables and a umask of their own, a child of', () => {
  test('the runner of commands, as of `validate`, triggers and checks', async () => {
    expect((await createRun()({ args: ['sh', '-c', telling] })).stdout).toBe(usual)
    const out = join(elsewhere, 'out')
    await validateTree(`(${telling}) > ${out}`, createRun())
    expect(readFileSync(out, 'utf8')).toBe(usual)
    await runTrigger({ kind: 'run', command: `(${telling}) > ${out}` }, createRun())
    expect(readFileSync(out, 'utf8')).toBe(usual)
  })

  test('the operator, who keeps what git needs of theirs', async () => {
    const operator = await operatorFrom({ ...process.env, PATH: path, HOME: elsewhere, LANG: 'C' })
    const names = Object.keys(operator.environment)
    expect(names).not.toContain('PLUMB_LEAK')
    const { output } = await runAttended(operator, ['sh', '-c', telling])
    expect(output.split('\n').slice(0, 2)).toEqual(['/', '0022'])
    expect(output).not.toContain('PYTHONPATH')
  })

  test('a long-lived program', async () => {
    expect(await said(startChild('sh', ['-c', telling], { stdio: ['ignore', 'pipe', 'pipe'] }))).toBe(usual)
  })

  test('a program with an environment of its own, and the git of the server', async () => {
    const child = startChild('sh', ['-c', telling], { stdio: ['pipe', 'pipe', 'pipe'], environment: { PATH: path } })
    expect(await said(child)).toBe('/\n0022\nPATH PWD ')
    const git = await createGit()({ args: ['-c', `alias.told=!${telling}`, 'told'] })
    const [directory, umask, variables = ''] = git.stdout.toString('utf8').split('\n')
    expect([directory, umask]).toEqual(['/', '0022'])
    expect(variables).not.toMatch(/PLUMB_LEAK|PYTHONPATH/)
  })

  test('the caller keeps their umask', () => {
    expect(process.umask()).toBe(0)
  })
})

const root = join(import.meta.dirname, '../../..')

/** Asserts that it looked at the sources at all. */
function modulesWith(pattern: RegExp): readonly string[] {
  const sources = ['agent', 'server', 'shared'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' }).map((name) => `${top}/${name}`),
  )
  const modules = sources.filter((name) => /\.tsx?$/.test(name))
  expect(modules.length).toBeGreaterThan(400)
  // Types are no way to start anything.
  const codeOf = (name: string) => readFileSync(join(root, name), 'utf8').replace(/^import type .*$/gm, '')
  return modules.filter((name) => pattern.test(codeOf(name)))
}

test('nothing else in agent, server and shared can start a process', () => {
  expect(
    modulesWith(/child_process|node:cluster|worker_threads|process\.binding|getBuiltinModule|createRequire/),
  ).toEqual(['shared/platform/child.ts'])
})

test('git is named in one place', () => {
  expect(modulesWith(/['"`]git['"`]\s*[,\]]/)).toEqual(['shared/platform/git.ts'])
})

function said(child: ReturnType<typeof startChild>): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
    })
    child.on('close', () => resolve(text))
  })
}
