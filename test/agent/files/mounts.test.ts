// Which places have two paths, by what the kernel lists of real hosts.
import { describe, expect, test } from 'vitest'
import { mountsOf } from '../../../agent/host/mountinfo.ts'
import { mountsIn } from '../../../agent/host/mounts.ts'

function mounts(...lines: readonly string[]) {
  return mountsIn(mountsOf(lines.map((line) => `${line} rw,relatime shared:1 - x x rw\n`).join('')), '/')
}

const host = ['22 1 254:1 / /', '23 22 0:21 / /proc', '24 22 0:22 / /sys', '25 22 0:23 / /tmp']

test.each([
  ['partitions of their own', '30 22 254:2 / /home', '31 22 254:3 / /var'],
  ['subvolumes side by side', '30 22 0:40 /@home /home', '31 22 0:40 /@ /srv', '32 22 0:40 /@home2 /opt'],
  [
    'layers of containers',
    '30 22 0:50 / /var/lib/docker/overlay2/a/merged',
    '31 22 0:51 / /var/lib/docker/overlay2/b/merged',
  ],
  [
    'networks of containers',
    '30 22 0:4 net:[4026532281] /run/docker/netns/a',
    '31 22 0:4 net:[4026532281] /run/docker/netns/b',
  ],
  ['a directory that a sandbox makes read-only in its place', '30 22 254:1 /usr /usr', '31 22 254:1 /etc /etc'],
  ['a private /tmp over the real one', '30 25 0:23 /systemd-private-1/tmp /tmp'],
  ['a part of /proc in its place', '30 23 0:21 /sys /proc/sys', '31 30 0:21 /sys/fs /proc/sys/fs'],
  ['what was removed where it came from', '30 22 254:1 /srv/a//deleted /mnt/a'],
])('no path has a second one: %s', (_, ...lines) => {
  expect([...mounts(...host, ...lines).places]).toEqual([])
})

test('of a second path, the place is the one below the mount of the root', () => {
  expect([...mounts(...host, '30 22 254:1 /srv/a /mnt/a').places]).toEqual([['/mnt/a', '/srv/a']])
})

test('names are read as the kernel escapes them', () => {
  const { places, points } = mounts(...host, String.raw`30 22 254:1 /srv/a\040b /mnt/\303\244`)
  expect([...places]).toEqual([['/mnt/ä', '/srv/a b']])
  expect(points.has('/mnt/ä')).toBe(true)
})

test('a snapshot that is the root keeps the names of the root', () => {
  const { places } = mounts('22 1 0:40 /@/.snapshots/1/snapshot /', '30 22 0:40 /@/.snapshots /.snapshots')
  expect([...places]).toEqual([
    ['/.snapshots/1/snapshot', '/'],
    // Covered at /.snapshots, and reached by this path alone.
    ['/.snapshots/1/snapshot/.snapshots', '/.snapshots/1/snapshot/.snapshots'],
  ])
})

test('a disk that is shown in parts has the names of its own mount', () => {
  const { places } = mounts(...host, '30 22 8:1 / /data', '31 22 8:1 /www /srv/www', '32 31 8:1 /cache /srv/www/cache')
  expect(Object.fromEntries(places)).toEqual({ '/srv/www': '/data/www', '/srv/www/cache': '/data/cache' })
})

describe('what covers a path', () => {
  test('is not passed through: what is below it there is reached by the other path alone', () => {
    const { places } = mounts(...host, '30 22 254:1 /srv/a /mnt/a', '31 22 8:1 / /srv/a/sub')
    expect(Object.fromEntries(places)).toEqual({ '/mnt/a': '/srv/a', '/mnt/a/sub': '/mnt/a/sub' })
  })

  test('hides the mounts below it', () => {
    const { places } = mounts(...host, '30 22 254:1 /srv/a /mnt/a/deep', '31 22 8:1 / /mnt')
    expect([...places]).toEqual([])
  })

  test('may be a stack: the last one counts', () => {
    const { places } = mounts(...host, '30 22 254:1 /srv/a /mnt/a', '31 30 254:1 /srv/b /mnt/a')
    expect([...places]).toEqual([['/mnt/a', '/srv/b']])
  })
})

test('below a root, only names below it count', () => {
  const list = mountsOf(
    [
      '22 1 254:1 / /',
      '30 22 254:1 /box/srv/a /box/mnt/a',
      '31 22 254:1 /srv/x /box/mnt/x',
      '32 22 254:1 /box/srv/b /other',
    ]
      .map((line) => `${line} rw - x x rw\n`)
      .join(''),
  )
  const { places, points } = mountsIn(list, '/box')
  expect([...places]).toEqual([['/mnt/a', '/srv/a']])
  expect([...points]).toEqual(['/mnt/a', '/mnt/x'])
})

test('a thousand mounts of one file system are worked through', () => {
  const lines = Array.from({ length: 1000 }, (_, n) => `${100 + n} 22 254:1 /srv/${n} /mnt/${n}`)
  expect(mounts(...host, ...lines).places.size).toBe(1000)
})
