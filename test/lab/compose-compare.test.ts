// `compare: json` of files that containers have mounted: what says the same is in sync and restarts nothing, another value is drift that is told
// by the value, and an apply gives file and container what the repository says.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { TestFiles } from '../support/git.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { deployed, projectLines, shopDirectory } from './shop.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

const fleetJson = `{
  "title": "Fleet",
  "refresh": "5s",
  "panels": [{ "id": 1, "title": "Load" }, { "id": 2, "title": "Swap" }]
}
`
const reordered = '{"panels":[{"title":"Load","id":1},{"title":"Swap","id":2}],"refresh":"5s","title":"Fleet"}'

/** A single file, and one in a directory, of which each container has one. */
const files: TestFiles = {
  'compose.yaml': `services:
  one:
    image: localhost/box:1
    init: true
    command: sleep 100000
    volumes: [ "./fleet.json:/etc/fleet.json" ]
  all:
    image: localhost/box:1
    init: true
    command: sleep 200000
    volumes: [ "./boards:/boards" ]
`,
  'fleet.json': fleetJson,
  'boards/host.json': fleetJson,
  'service.yaml': 'files: { fleet.json: { compare: json }, boards/host.json: { compare: json } }\n',
}

const file = `${shopDirectory}/fleet.json`
const board = `${shopDirectory}/boards/host.json`

describe.skipIf(reason !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let box: ComposeHost
  let before: Awaited<ReturnType<ComposeHost['containers']>>

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'boards', 'trixie-docker')
  })
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })
  beforeEach(async () => {
    await deployed(box, {})
    await deployed(box, { shop: files })
    before = await box.containers('shop')
    expect([...before.keys()].toSorted()).toEqual(['all', 'one'])
  })

  /** `in place`: the same inode, as a program in the container writes it. `by a rename`: as editors and `sed -i` do. */
  const ways = ['in place', 'by a rename'] as const

  async function rewrite(path: string, text: string, way: (typeof ways)[number]): Promise<void> {
    if (way === 'in place') return await box.host.write(path, text)
    await box.host.write(`${path}.new`, text, '0644')
    await box.host.output(['mv', `${path}.new`, path])
  }

  async function expectInSync(): Promise<void> {
    const check = await box.plumb('check', '--full')
    expect(check).toEqual({ code: 0, text: expect.stringMatching(/^in sync: /) })
    expect(await box.plan('shop')).toEqual([])
  }

  test.each(ways)(
    'keys in another order, written %s, are in sync; an apply restarts nothing and leaves them',
    async (way) => {
      await rewrite(file, reordered, way)
      await rewrite(board, reordered, way)
      await expectInSync()
      expect(await box.plumb('apply')).toMatchObject({ code: 0 })
      await expectInSync()
      expect(await box.containers('shop')).toEqual(before)
      expect(await box.host.read(file)).toBe(reordered)
      expect(await box.host.read(board)).toBe(reordered)
      expect(JSON.parse(await box.seen('shop-one-1', '/etc/fleet.json'))).toEqual(JSON.parse(fleetJson))
      expect(await box.seen('shop-all-1', '/boards/host.json')).toBe(reordered)
    },
  )

  test.each(ways)(
    'another value, written %s, is drift told by the value, and put right for the container too',
    async (way) => {
      await rewrite(file, reordered.replace('5s', '1m'), way)
      const check = await box.plumb('check')
      expect(check.code).toBe(2)
      expect(check.text).toContain(`shop: drift: ${file}: content differs\n`)
      expect(check.text).toContain('\n  ~ refresh: "5s" -> "1m"\n')
      expect(check.text).not.toContain('panels[')
      // What was replaced by a rename, the container never saw.
      const [planned, done] =
        way === 'in place'
          ? [
              ['compose project shop: recreate one (its mounted fleet.json is repaired)'],
              ['brought up shop: recreated one'],
            ]
          : [[], []]

      expect(projectLines(await box.plan('shop')).filter((line) => !line.endsWith('stay as they are'))).toEqual(planned)
      expect(await box.apply('shop')).toEqual([`wrote ${file} (content)`, ...done])

      expect(await box.host.read(file)).toBe(fleetJson)
      expect(await box.seen('shop-one-1', '/etc/fleet.json')).toBe(fleetJson.trim())
      const after = await box.containers('shop')
      expect(after.get('all')).toBe(before.get('all'))
      expect(after.get('one') === before.get('one')).toBe(way === 'by a rename')
      await expectInSync()
    },
  )

  test('another value in a mounted directory is put right without touching a container', async () => {
    await rewrite(board, reordered.replace('Swap', 'Swaps'), 'by a rename')
    const check = await box.plumb('check')
    expect(check.text).toContain('\n  ~ panels[1].title: "Swap" -> "Swaps"\n')
    expect(await box.apply('shop')).toEqual([`wrote ${board} (content)`])
    expect(await box.seen('shop-all-1', '/boards/host.json')).toBe(fleetJson.trim())
    expect(await box.containers('shop')).toEqual(before)
  })

  test('a commit that only formats the file anew touches neither file nor container; one that says more does', async () => {
    await rewrite(file, reordered, 'by a rename')
    await deployed(box, { shop: { ...files, 'fleet.json': `${reordered}\n\n` } })
    expect(await box.containers('shop')).toEqual(before)
    expect(await box.host.read(file)).toBe(reordered)
    await expectInSync()

    const more = fleetJson.replace('5s', '9s')
    await deployed(box, { shop: { ...files, 'fleet.json': more } })
    expect(await box.seen('shop-one-1', '/etc/fleet.json')).toBe(more.trim())
    expect((await box.containers('shop')).get('all')).toBe(before.get('all'))
  })

  test('a container that still has a replaced file of another meaning mounted is drift, and gets the right one', async () => {
    await box.host.write(file, reordered.replace('5s', '1m'))
    await rewrite(file, reordered, 'by a rename')
    expect(JSON.parse(await box.seen('shop-one-1', '/etc/fleet.json')).refresh).toBe('1m')

    const check = await box.plumb('check')
    expect(check.text).toContain('one: still has the replaced /etc/fleet.json mounted')
    expect(await box.apply('shop')).toEqual(['brought up shop: recreated one'])

    expect(JSON.parse(await box.seen('shop-one-1', '/etc/fleet.json'))).toEqual(JSON.parse(fleetJson))
    await expectInSync()
  })
})
