// What a staged file is given beside content, owner and mode, on a real file system (with ACLs: test/lab/attributes.test.ts).
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openHost } from '../../../agent/host/host.ts'
import { setStagedAttributes } from '../../../agent/host/staged-attributes.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'

const canSet = process.geteuid?.() === 0 && spawnSync('setcap', ['-h']).error === undefined
const host = openHost({ root: '/', run: createRun() })

describe.skipIf(!canSet)('of a program with a capability', () => {
  let directory = ''
  let program = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'plumb-staged-'))
    program = join(directory, 'program')
    writeFileSync(program, 'old', { mode: 0o755 })
    execFileSync('setcap', ['cap_net_bind_service=ep', program])
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const capabilities = () => execFileSync('getcap', [program], { encoding: 'utf8' }).slice(program.length).trim()

  async function replace(wanted: { readonly capabilities?: string }, meanwhile = () => {}): Promise<void> {
    const path = absolutePathSchema.parse(program)
    const files = host.files.part()
    await files.stage(path, Buffer.from('new'), { mode: 0o755, uid: 0, gid: 0 })
    meanwhile()
    await files.withStaged(path, (open) =>
      setStagedAttributes(open, { path, mode: 0o755, ...wanted }, { ...host, files }),
    )
    files.publish(path)
    await files.forget(path)
  }

  test.each([
    [undefined, 'cap_net_bind_service=ep'],
    ['cap_chown=p', 'cap_chown=p'],
    ['none', ''],
  ])('that the repository sets to %s, the new version has %s', async (wanted, left) => {
    await replace(wanted === undefined ? {} : { capabilities: wanted })
    expect(capabilities()).toBe(left)
    expect(statSync(program).mode & 0o7777).toBe(0o755)
    expect(readdirSync(directory)).toEqual(['program'])
  })

  test('nothing is given to what takes the name of the staged file meanwhile', async () => {
    const other = join(directory, 'other')
    writeFileSync(other, 'not to be touched')
    chmodSync(other, 0o600)
    const swap = () => {
      const staged = readdirSync(directory).find((name) => name.startsWith('.plumb-')) ?? ''
      renameSync(join(directory, staged), join(directory, 'taken'))
      symlinkSync('other', join(directory, staged))
    }
    await expect(replace({}, swap)).rejects.toMatchObject({ code: 'apply-failed' })
    expect(execFileSync('getcap', [other], { encoding: 'utf8' })).toBe('')
    expect(statSync(other).mode & 0o7777).toBe(0o600)
  })
})
