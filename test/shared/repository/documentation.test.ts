// The examples in docs/repository.md are valid, so that nobody copies an error.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { linesOf, treeOf } from './tree.ts'

test('the examples of docs/repository.md are a repository without problems', () => {
  const page = readFileSync(new URL('../../../docs/repository.md', import.meta.url), 'utf8')
  const [plumb = '', service = '', ...others] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml)
  expect(others).toEqual([])
  expect(plumb).toContain('silentAfter')
  const tree = treeOf({
    'plumb.yaml': plumb,
    '.plumb/allowed_signers': '',
    'services/base/README.md': '',
    'services/node-exporter/README.md': '',
    'services/caddy/README.md': '',
    'services/caddy/service.yaml': service,
    'services/caddy/files/etc/caddy/Caddyfile': '',
    'services/caddy/compose.yaml': '',
    'services/caddy/dashboards/fleet.json': '',
  })
  expect(linesOf(tree)).toEqual([])
})
