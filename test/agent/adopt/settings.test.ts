// service.yaml with a host's modes in it: everything else stays as a person wrote it.
import { expect, test } from 'vitest'
import { type SettingsEdit, withSettings } from '../../../agent/adopt/settings.ts'

const file = 'services/web/service.yaml'
const mode = (key: string, value = '0640'): SettingsEdit => ({ section: 'files', key, set: { mode: value } })

const written = `# why it is so
packages: [nginx] # from Debian

files:
  # root alone
  "/etc/web/a.conf":
    mode: "0600" # strict
    owner: www-data
triggers-are: not here
checks:
- http: http://127.0.0.1/
- tcp: 127.0.0.1:80
`

test('one value changes, and nothing else', () => {
  expect(withSettings({ file, text: written }, [mode('/etc/web/a.conf')])).toBe(written.replace('"0600"', '"0640"'))
})

test('a file of which nothing was said is added behind the others', () => {
  expect(withSettings({ file, text: written }, [mode('/etc/web/b.conf')])).toBe(
    written.replace('    owner: www-data\n', '    owner: www-data\n  /etc/web/b.conf: { mode: "0640" }\n'),
  )
})

test('a service.yaml that is not there, is empty, or has a key with nothing behind it', () => {
  const expected = 'files:\n  /etc/a: { mode: "0640" }\n'
  expect(withSettings({ file, text: undefined }, [mode('/etc/a')])).toBe(expected)
  expect(withSettings({ file, text: '' }, [mode('/etc/a')])).toBe(expected)
  expect(withSettings({ file, text: 'files:\n' }, [mode('/etc/a')])).toBe(expected)
  expect(withSettings({ file, text: 'files:\n  /etc/a:\n' }, [mode('/etc/a')])).toBe(expected)
})

test('units and directories, as the schema reads them', () => {
  const text = withSettings({ file, text: 'packages: [nginx]\n' }, [
    { section: 'units', key: 'nginx.service', set: { enabled: false, state: 'stopped' } },
    { section: 'directories', key: '/etc/web', set: { mode: '0750', group: '101' } },
    mode('/etc/a', '4755'),
  ])
  expect(text).toBe(`packages: [nginx]
units:
  nginx.service: {enabled: false, state: stopped}
directories:
  /etc/web: {mode: "0750", group: "101"}
files:
  /etc/a: {mode: "4755"}
`)
})

test('what is not a map is refused', () => {
  for (const text of ['- a\n', 'a: [\n', 'text\n'])
    expect(() => withSettings({ file, text }, [mode('/etc/a')])).toThrow(/cannot be read, so nothing was changed in it/)
})
