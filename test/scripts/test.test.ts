// `npm test` in a directory of its own, with a vitest that only notes what it is asked for.
import { spawn } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-npm-test-'))
  for (const path of ['scripts/lab', 'node_modules/.bin', 'build/sshd'])
    await mkdir(join(directory, path), { recursive: true })
  await copyFile(join(import.meta.dirname, '../../scripts/test.ts'), join(directory, 'scripts/test.ts'))
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
  await writeFile(
    join(directory, 'scripts/lab/main.ts'),
    `${noting('images')}\nif (process.env.FAILS === 'images') process.exit(4)`,
  )
  await writeFile(join(directory, 'node_modules/.bin/vitest'), vitest)
  await chmod(join(directory, 'node_modules/.bin/vitest'), 0o755)
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const noting = (text: string) => `import { appendFileSync } from 'node:fs'
appendFileSync('asked', \`${text}\\n\`)`

const vitest = `#!/bin/sh
shift
echo "$*" >> asked
echo "ran $*"
case "$*" in *"$FAILS"*) exit 3 ;; esac
[ "$FAILS" != interrupted ] || exec sleep 60
`

async function npmTest(fails: string, ...args: readonly string[]) {
  const env = { ...process.env, FAILS: fails, PLUMB_LEAVE_NOTHING_OUT: '' }
  const child = spawn(process.execPath, ['scripts/test.ts', ...args], { cwd: directory, env })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    if (fails === 'interrupted' && out.includes(unit) && out.includes(faults)) child.kill('SIGTERM')
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  const asked = (await readFile(join(directory, 'asked'), 'utf8')).trim().split('\n')
  return { code, out, asked }
}

const [unit, faults, lab] = ['--project unit', '--project faults', '--project lab']
const browser = '--project browser'

test('the tests on booted hosts run beside the others, once the base images are made; those in a browser at the end', async () => {
  const { code, out, asked } = await npmTest('nothing')
  expect({ code, asked: asked.toSorted() }).toMatchObject({
    code: 0,
    asked: [browser, faults, lab, unit, ...(asked.includes('images') ? ['images'] : [])].toSorted(),
  })
  expect(asked.at(-1)).toBe(browser)
  if (!asked.includes('images')) return
  expect(asked.indexOf('images')).toBeLessThan(asked.indexOf(lab))
  expect(out).toContain(`lab | ran ${lab}\n`)
  expect(out).toContain(`faults | ran ${faults}\n`)
  expect(out).toContain(`\nran ${unit}\n`)
})

test.each([unit, faults, lab, browser])(
  'where %s fails, the others run all the same and the whole fails',
  async (project) => {
    const { code, asked } = await npmTest(project)
    expect(code).toBe(3)
    expect(asked).toEqual(expect.arrayContaining([unit, faults, lab, browser]))
  },
)

test('where a base image cannot be made, the tests on hosts are not tried and the whole fails', async () => {
  const { code, asked } = await npmTest('images')
  if (!asked.includes('images')) return
  expect(code).toBe(4)
  expect(asked).not.toContain(lab)
})

test('a signal ends what runs, and nothing is started after it', async () => {
  const { code, asked } = await npmTest('interrupted')
  expect(code).toBe(130)
  expect(asked).not.toContain(browser)
})

test('arguments go to vitest, which then runs alone', async () => {
  const { code, asked } = await npmTest('nothing', 'test/agent', '--bail=1')
  expect({ code, asked }).toEqual({ code: 0, asked: ['test/agent --bail=1'] })
})
