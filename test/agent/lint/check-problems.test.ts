// A check of a unit that the repository itself keeps from running: lint and every host refuse it, at the check.
import { expect, test } from 'vitest'
import { lintDirectory } from '../../../agent/commands/lint.ts'
import { desiredFor } from '../../../agent/desire/desire.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { problemLine, problemsOf } from '../../../shared/problem.ts'
import { type Files, fleetDirectory, readerOf, secretsWith } from '../desire/fleet.ts'

const unit = 'services/a/units/a.service'
const checks = 'checks:\n  - unit: a.service\n'
const said = (settings: string): Files => ({
  'services/a/service.yaml': `units: { a.service: ${settings} }\n${checks}`,
})
const simple = { [unit]: '[Service]\nExecStart=/bin/sleep 9\n' }
const job = { [unit]: '[Service]\nType=oneshot\nExecStart=/bin/true\n' }
const byA = (how: string) => `the check wants a.service active, and this service has it ${how}: services/a/`
const at = 'services/a/service.yaml:3:11: '

const refused: Readonly<Record<string, readonly [Files, string]>> = {
  stopped: [{ ...said('{ state: stopped }'), ...simple }, at + byA('stopped')],
  'disabled and stopped': [{ ...said('{ enabled: false, state: stopped }'), ...simple }, at + byA('stopped')],
  'stopped, of a package': [said('{ state: stopped }'), at + byA('stopped')],
  masked: [said('{ masked: true }'), at + byA('masked')],
  'masked by a link': [
    {
      'services/a/service.yaml': checks,
      'services/a/files/etc/systemd/system/a.service': { link: '/dev/null' },
    },
    `services/a/service.yaml:2:11: ${byA('masked')}files/etc/systemd/system/a.service`,
  ],
  'stopped by another service': [
    {
      ...simple,
      'services/a/service.yaml': 'units: { a.service: { state: stopped } }\n',
      'services/b/service.yaml': checks,
    },
    'services/b/service.yaml:2:11: the check wants a.service active, and the service "a", on host web-1 as well, has it stopped: services/a/service.yaml:1:',
  ],
}

test.each(Object.keys(refused))('%s', async (name) => {
  const [files, line] = refused[name] ?? [{}, '']
  expect((await lintDirectory(fleetDirectory(files))).map(problemLine)).toEqual([expect.stringContaining(line)])
  expect(await onHost(files)).toEqual([expect.stringContaining(line)])
})

test.each<[string, Files]>([
  ['runs', { ...said('{ state: running }'), ...simple }],
  ['is not enabled', { ...said('{ enabled: false }'), ...simple }],
  ['is a job, whose last run is checked', { ...said('{ state: stopped }'), ...job }],
  [
    'is stopped on another host',
    {
      ...simple,
      'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a] }, web-2: { services: [b] } }\n',
      'services/a/service.yaml': 'units: { a.service: { state: stopped } }\n',
      'services/b/service.yaml': checks,
    },
  ],
])('a unit that %s may be checked', async (_, files) => {
  expect(await lintDirectory(fleetDirectory(files))).toEqual([])
  expect(await onHost(files)).toEqual([])
})

/** What web-1 refuses of the revision. */
async function onHost(files: Files): Promise<readonly string[]> {
  const input = { host: hostNameSchema.parse('web-1'), secrets: await secretsWith({}), digests: new Map() }
  try {
    await desiredFor({ ...input, reader: await readerOf(files) })
    return []
  } catch (error) {
    return problemsOf(error).map(problemLine)
  }
}
