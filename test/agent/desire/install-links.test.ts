// The links that `systemctl enable` makes, told from the unit's files.
import { expect, test } from 'vitest'
import { installLinks } from '../../../agent/desire/install-links.ts'
import { desiredService, type Files, ofKind } from './fleet.ts'

const unit = (install: string) => `[Service]\nExecStart=/bin/true\nAlias=not-here.service\n[Install]\n${install}\n`

test.each([
  ['WantedBy=multi-user.target', ['multi-user.target.wants/web.service']],
  ['WantedBy=b.target a.target', ['a.target.wants/web.service', 'b.target.wants/web.service']],
  ['WantedBy=a.target \\\n  b.target', ['a.target.wants/web.service', 'b.target.wants/web.service']],
  ['WantedBy=a.target\nWantedBy=b.target', ['a.target.wants/web.service', 'b.target.wants/web.service']],
  ['WantedBy=a.target\nWantedBy=\nWantedBy=b.target', ['b.target.wants/web.service']],
  ['RequiredBy=a.target\nAlias=www.service web.service', ['a.target.requires/web.service', 'www.service']],
  ['Also=web.socket\n# WantedBy=a.target\nUpheldBy=a.target', []],
])('%j', (install, links) => {
  expect(installLinks('web.service', unit(install))).toEqual(links)
})

test('an instance is linked by its own name; what only systemd can tell is not told', () => {
  expect(installLinks('w@1.service', unit('WantedBy=a.target'))).toEqual(['a.target.wants/w@1.service'])
  expect(installLinks('w@1.service', unit('WantedBy=x@%i.target'))).toBeUndefined()
  expect(installLinks('w@1.service', unit('Alias=y@.service'))).toBeUndefined()
})

async function linksOf(files: Files) {
  const units = ofKind('unit', await desiredService(files))
  return Object.fromEntries(units.map(({ name, links }) => [name, links]))
}

test('drop-ins of the repository count, those of the template too; a unit that is not enabled, or a package’s, has no links', async () => {
  const files = {
    'services/a/units/web.service': unit('WantedBy=a.target'),
    'services/a/units/web.service.d/20-install.conf': '[Install]\nWantedBy=c.target\n',
    'services/a/units/web.service.d/10-install.conf': '[Install]\nWantedBy=\nWantedBy=b.target\n',
    'services/a/units/w@.service': unit('WantedBy=a.target'),
    'services/a/units/w@.service.d/more.conf': '[Install]\nRequiredBy=b.target\n',
    'services/a/units/off.service': unit('WantedBy=a.target'),
    'services/a/service.yaml': 'units: { w@1.service: {}, off.service: { enabled: false }, nginx.service: {} }\n',
  }
  expect(await linksOf(files)).toEqual({
    'web.service': ['b.target.wants/web.service', 'c.target.wants/web.service'],
    'w@1.service': ['a.target.wants/w@1.service', 'b.target.requires/w@1.service'],
    'off.service': undefined,
    'nginx.service': undefined,
  })
})
