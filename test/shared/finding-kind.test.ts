import { expect, test } from 'vitest'
import { type FindingKind, kindsOf } from '../../shared/finding-kind.ts'

test.each<[string, string, string, FindingKind[]]>([
  ['file:/etc/motd', 'content', 'b'.repeat(64), ['content']],
  ['file:/etc/motd', 'mode', '0666', ['mode']],
  ['file:/etc/motd', 'acl', 'user:anna:rw-', ['acl']],
  ['file:/usr/local/bin/web', 'capabilities', 'none', ['capabilities']],
  ['file:/etc/motd', 'type', 'missing', ['missing']],
  ['file:/etc/motd', 'type', 'symlink', ['type']],
  ['symlink:/etc/x', 'target', '/elsewhere', ['link-target']],
  ['directory:/etc/x.d', 'extra', 'typed.conf', ['extra']],
  ['unit:nginx.service', 'state', 'stopped', ['unit-state']],
  ['unit:nginx.service', 'state', 'failed', ['unit-failed']],
  ['unit:nginx.service', 'enabled', 'no', ['unit-enabled']],
  ['unit:nginx.service', 'enabled', 'masked', ['unit-masked']],
  ['package:nginx', 'installed', 'no', ['package-missing']],
  ['package:nginx', 'version', '1.0', ['package-version']],
  ['package:nginx', 'downgrade', '1.0', ['package-downgraded']],
  ['file:/etc/systemd/system/nginx.service.d/override.conf', 'override', 'nginx.service', ['unit-override']],
  ['unit:nginx.service', 'loaded', 'as they were before', ['unit-stale']],
  ['compose:shop', 'containers', 'web: stopping', ['container-stopped']],
  ['compose:shop', 'containers', 'web: unhealthy', ['container-unhealthy']],
  ['compose:shop', 'containers', 'web: stopped (exit code 1); db: missing', ['container-stopped', 'container-missing']],
  ['compose:shop', 'containers', 'missing', ['container-missing']],
  ['compose:shop', 'containers', 'web: 1 of 3 containers', ['container-count']],
  ['compose:shop', 'containers', 'web: restarting', ['container-restarting']],
  [
    'compose:shop',
    'containers',
    'web: other image; db: other configuration',
    ['container-image', 'container-configuration'],
  ],
  ['compose:shop', 'containers', 'web: still has the replaced /etc/x mounted', ['container-mount']],
])('%s with another %s (%s) is %j', (resource, name, live, kinds) => {
  expect(kindsOf(resource, [{ name, live }])).toEqual(kinds)
})
