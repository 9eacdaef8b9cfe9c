// A compose project's directory as an import finds it: real files, and compose's own model of the project.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { foundProject } from '../../../agent/commands/import-project.ts'
import { openHost, readerOf } from '../../../agent/host/host.ts'
import { draftOf } from '../../../agent/import/draft.ts'
import type { Run } from '../../../shared/command.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'

const roots: string[] = []
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true })
})

test('what a service has at the same place is not taken: it would be deployed elsewhere, or not at all', async () => {
  const draft = await imported({
    'README.md': '# how to restore\n',
    'service.yaml': 'name: own\n',
    'files/site.conf': 'x\n',
    'units/app.service': '[Service]\nExecStart=/bin/true\n',
    '.gitignore': '.env\n',
    '.env': 'TAG=1\n',
    'conf/app.conf': 'x\n',
  })

  expect(draft.files).toEqual(['.env', 'README.md', 'compose.yaml', 'conf/app.conf', 'service.yaml'])
  expect(draft.refused).toEqual([
    `files/site.conf: files/ ${meaning}`,
    `service.yaml: service.yaml ${meaning}`,
    `units/app.service: units/ ${meaning}`,
  ])
  expect(draft.left).toEqual([
    '.gitignore: git would obey it in this repository as well',
    "README.md: the service's README.md has its place: copy from it what is worth keeping",
  ])
  expect(draft.readme).not.toContain('how to restore')
})

test('a file that containers can write is data where it is no text, and told where it is', async () => {
  const draft = await imported({
    'app.db': 'SQLite format 3\0',
    'state.bin': Buffer.from([0xff, 0xfe, 0x00]),
    'big.log': 'x'.repeat((1 << 20) + 1),
    'app.yml': 'a: 1\n',
    'conf/logo.png': Buffer.from([0x89, 0x50, 0x00]),
  })

  expect(draft.files).toEqual(['README.md', 'app.yml', 'compose.yaml', 'conf/logo.png', 'service.yaml'])
  for (const name of ['app.db', 'state.bin', 'big.log'])
    expect(draft.readme).toContain(`/srv/shop/${name}\` is written by containers: its data was not taken`)
  expect(draft.readme).toContain('/srv/shop/app.yml` can be written by containers: where one does, that is drift.')
  expect(draft.readme).not.toContain('logo.png')
})

test('the files that COMPOSE_FILE of .env names are the project, with the name that the last of them gives', async () => {
  const root = await mkdtemp(join(tmpdir(), 'plumb-project-'))
  roots.push(root)
  const files = {
    '.env': 'COMPOSE_FILE=./compose.yaml:prod.yaml\n',
    'compose.yaml': 'name: shop\nservices: { app: { image: x } }\n',
    'compose.override.yaml': 'services: {}\n',
    'prod.yaml': 'name: shop-prod\nservices: {}\n',
  }
  await mkdir(join(root, 'srv/shop'), { recursive: true })
  for (const [path, content] of Object.entries(files)) await writeFile(join(root, 'srv/shop', path), content)
  const says = composeSays({ services: {} })
  const query: Run = (command) => {
    const stdout = new Map(Object.entries(files)).get(command.args.at(-1)?.replace('/srv/shop/', '') ?? '')
    return command.args[0] === 'cat' && stdout !== undefined
      ? Promise.resolve({ code: 0, stdout, stderr: '' })
      : says(command)
  }
  const host = readerOf(openHost({ root, run: createRun() }))

  expect(await foundProject('/srv/shop', { ...host, query })).toMatchObject({
    project: 'shop-prod',
    composeFiles: ['compose.yaml', 'prod.yaml'],
  })
})

const meaning = 'of a service has a meaning of its own: give it another name, also where it is mounted'

/** Everything is mounted: below `conf/`, `files/` and `units/` for reading alone. */
async function imported(files: Readonly<Record<string, string | Buffer>>) {
  const root = await mkdtemp(join(tmpdir(), 'plumb-project-'))
  roots.push(root)
  const all = { ...files, 'compose.yaml': 'services: { app: { image: x } }\n' }
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(root, 'srv/shop', path)), { recursive: true })
    await writeFile(join(root, 'srv/shop', path), content)
  }
  const volumes = Object.keys(files).map((path) => ({
    type: 'bind',
    source: `/srv/shop/${path}`,
    read_only: path.includes('/'),
  }))
  const host = readerOf(openHost({ root, run: createRun() }))
  const compose = await foundProject('/srv/shop', { ...host, query: composeSays({ services: { app: { volumes } } }) })
  const draft = draftOf({
    service: 'app',
    host: hostNameSchema.parse('web-1'),
    at: new Date(0),
    paths: [],
    entries: [],
    circumstances: { originals: new Map(), owners: new Map(), named: new Set(), all: false, leave: new Set() },
    extended: new Map(),
    packages: [],
    units: [],
    listeners: [],
    hide: false,
    hideIn: new Map(),
    notSecret: new Set(),
    compose,
  })
  const readme = draft.files.get('README.md')
  const lines = (untaken: typeof draft.left) => untaken.map(({ path, why }) => `${path.slice(10)}: ${why}`)
  return {
    files: [...draft.files.keys()].toSorted(),
    readme: readme?.kind === 'file' ? Buffer.from(readme.content).toString() : '',
    left: lines(draft.left),
    refused: lines(draft.refused),
  }
}

/** Docker is there, nothing runs, and the compose file says `model`. */
function composeSays(model: object): Run {
  return ({ args }) => {
    const stdout = args.includes('--version') ? 'Docker version 28' : JSON.stringify(model)
    const isKnown = args[0] === 'docker' && (args.includes('--version') || args.includes('config'))
    return Promise.resolve(isKnown ? { code: 0, stdout, stderr: '' } : { code: 1, stdout: '', stderr: 'not known' })
  }
}
