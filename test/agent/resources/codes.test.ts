// What a difference is by its code; what containers lack: test/agent/compose/compose-states.test.ts.
import { expect, test } from 'vitest'
import type { LiveResource } from '../../../agent/resources/kind.ts'
import { unreachable } from '../../../agent/resources/paths.ts'
import { kindNameOf, kinds } from '../../../agent/resources/registry.ts'
import { type DifferenceCode, type FindingKind, kindsOf } from '../../../shared/finding-kind.ts'
import { resourceId } from '../../../shared/names.ts'
import { PlumbError } from '../../../shared/problem.ts'

const nothing: LiveResource = { attributes: {} }

test.each<[kind: string, resource: string, difference: string, live: string, FindingKind[]]>([
  ['file', '/etc/motd', 'content', 'b'.repeat(64), ['content']],
  ['file', '/etc/motd', 'mode', '0666', ['mode']],
  ['file', '/etc/motd', 'acl', 'user:anna:rw-', ['acl']],
  ['file', '/usr/local/bin/web', 'capabilities', 'none', ['capabilities']],
  ['file', '/etc/motd', 'type', 'missing', ['missing']],
  ['file', '/etc/motd', 'type', 'symlink', ['type']],
  ['symlink', '/etc/x', 'target', '/elsewhere', ['link-target']],
  ['directory', '/etc/x.d', 'extra', 'typed.conf', ['extra']],
  ['unit', 'nginx.service', 'state', 'stopped', ['unit-state']],
  ['unit', 'nginx.service', 'state', 'failed', ['unit-failed']],
  ['unit', 'nginx.service', 'enabled', 'no', ['unit-enabled']],
  ['unit', 'nginx.service', 'enabled', 'masked', ['unit-masked']],
  ['unit', 'nginx.service', 'enabled', 'masked until reboot', ['unit-masked']],
  ['unit', 'nginx.service', 'last-run', 'exit code 1', ['unit-failed']],
  ['package', 'nginx', 'installed', 'no', ['package-missing']],
  ['package', 'nginx', 'version', '1.0', ['package-version']],
  ['package', 'nginx', 'downgrade', '1.0', ['package-downgraded']],
  ['file', '/etc/systemd/system/nginx.service.d/override.conf', 'override', 'nginx.service', ['unit-override']],
  ['unit', 'nginx.service', 'loaded', 'as they were before', ['unit-stale']],
  ['compose', 'shop', 'content', 'none', ['project-files']],
  ['compose', 'shop', 'state', 'stopped', ['project-state']],
])('%s:%s with another %s (%s) is %j', (kind, resource, name, live, expected) => {
  expect(kindsOf([{ codes: codesOf(kind, resource, { name, live }) }])).toEqual(expected)
})

test('a path behind a link that is not followed has its own code, whatever the text says', () => {
  const live = unreachable(new PlumbError({ code: 'unsafe-path', message: 'x', where: { file: '/etc/link' } }))

  expect(codesOf('file', '/etc/link/a', { name: 'type', live: live.attributes['type'] ?? '' }, live)).toEqual([
    'unsafe-link',
  ])
  expect(codesOf('file', '/etc/link/a', { name: 'type', live: live.attributes['type'] ?? '' })).toEqual(['type'])
})

test('a project whose containers are all stopped has its own code', () => {
  expect(codesOf('compose', 'shop', { name: 'state', live: 'stopped' })).toEqual(['project-stopped'])
  expect(codesOf('compose', 'shop', { name: 'state', live: 'running' })).toEqual(['project-state'])
})

function codesOf(
  kind: string,
  name: string,
  difference: { readonly name: string; readonly live: string },
  live = nothing,
): readonly DifferenceCode[] {
  return kinds[kindNameOf(resourceId(kind, name))].codes({ ...difference, expected: '' }, live)
}
