import { describe, expect, test } from 'vitest'
import { parseRepository } from '../../../shared/repository/parse.ts'
import { revisionLimits } from '../../../shared/repository/sizes.ts'
import { parsedEntries, type RepositoryTree } from '../../../shared/repository/tree.ts'
import { fleetOf, linesOf } from './tree.ts'

const { fileBytes, totalBytes } = revisionLimits

describe('files that are too large are named before they are read', () => {
  test.each<[string, Readonly<Record<string, number>>, readonly string[]]>([
    ['a file at the limit', { 'services/a/files/srv/x': fileBytes }, []],
    [
      'a file above it',
      { 'services/a/files/srv/x': fileBytes + 1, 'services/a/files/srv/y': 300 * 1024 * 1024 },
      ['services/a/files/srv/x: has 32.1 MiB; at most 32 MiB', 'services/a/files/srv/y: has 300 MiB; at most 32 MiB'],
    ],
    [
      'a file beside a compose file',
      { 'services/a/compose.yaml': 10, 'services/a/model.bin': fileBytes * 2 },
      ['services/a/model.bin: has 64 MiB'],
    ],
    ['a file that no host gets', { 'docs/video.mp4': fileBytes * 40 }, []],
    [
      'a service.yaml',
      { 'services/a/service.yaml': 2_000_000 },
      ['services/a/service.yaml: is too large to be parsed'],
    ],
    ['the fleet file', { 'plumb.yaml': 20_000_000 }, ['plumb.yaml: is too large to be parsed: it has 20000000 bytes']],
  ])('%s', (_, sizes, expected) => {
    const lines = linesOf(sized(sizes)).filter((line) => /large|MiB/.test(line))

    expect(lines.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected)
  })

  test('all of them together', () => {
    const count = Math.ceil(totalBytes / fileBytes) + 1
    const sizes = Object.fromEntries(Array.from({ length: count }, (_, n) => [`services/a/files/srv/${n}`, fileBytes]))

    expect(linesOf(sized(sizes))).toEqual([
      expect.stringMatching(
        /^services: the files of all services have 544 MiB; at most 512 MiB .*largest is services\/a/,
      ),
    ])
  })

  test('one content in many places counts once', () => {
    const { entries, texts } = sized({ 'services/a/files/srv/x': fileBytes })
    const copies = Array.from({ length: 40 }, (_, n) => ({
      path: `services/a/files/srv/copy-${n}`,
      kind: 'file' as const,
      oid: 'f'.repeat(40),
      size: fileBytes,
    }))

    expect(parseRepository({ entries: [...entries, ...copies], texts }).problems).toEqual([])
  })
})

test('texts that would fill the memory together are not even read', () => {
  const { entries } = fleetOf(
    Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`services/s${n}/service.yaml`, 'settle: 5s\n'])),
  )
  const large = entries.map((entry) => ({ ...entry, size: entry.path.endsWith('service.yaml') ? 1024 * 1024 : 10 }))
  const read = parsedEntries(large)
  const texts = new Map(read.map(({ path }) => [path, path === 'plumb.yaml' ? 'version: 1\n' : 'settle: 5s\n']))
  const { problems } = parseRepository({ entries: large, texts })

  expect(read).toHaveLength(48)
  expect(problems).toHaveLength(53)
  expect(problems[0]?.message).toContain('is too large to be parsed')
})

/** A fleet with these files of these sizes, of which only what is small enough is there to be parsed. */
function sized(sizes: Readonly<Record<string, number>>): RepositoryTree {
  const contents = Object.keys(sizes).map((path): [string, string] => [path, `content of ${path}`])
  const { entries, texts } = fleetOf({ 'services/a/README.md': '# a', ...Object.fromEntries(contents) })
  const large = entries.filter(({ path }) => sizes[path] !== undefined).map(({ path }) => path)
  return {
    entries: entries.map((entry, index) =>
      large.includes(entry.path)
        ? { ...entry, oid: `${index}`.padStart(40, '0'), size: sizes[entry.path] ?? 0 }
        : entry,
    ),
    texts: new Map([...texts].filter(([path]) => !large.includes(path))),
  }
}
