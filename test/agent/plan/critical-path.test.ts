// How long an apply waits, told before it: by settle times, health checks and the order of `after`.
import { expect, test } from 'vitest'
import { healthSecondsOf } from '../../../agent/host/health-times.ts'
import { criticalPath, criticalPathText } from '../../../agent/plan/critical-path.ts'
import type { ServicePlan } from '../../../agent/plan/plan.ts'
import { resourceId, serviceNameSchema } from '../../../shared/names.ts'

const name = (text: string) => serviceNameSchema.parse(text)

function waits(service: string, settleSeconds: number, after: readonly string[] = []): ServicePlan {
  return {
    service: name(service),
    after: after.map(name),
    settleSeconds,
    watched: { units: [`${service}.service`], projects: [] },
    blocked: [],
    steps: [],
    held: undefined,
    waits: undefined,
    leftAlone: [],
    leftDiffering: [],
    repairs: [],
    before: undefined,
    record: undefined,
    isRecorded: false,
    isLeaving: false,
    handedOver: [],
    untaken: [],
  }
}

const starting = (service: string, seconds: number, after: readonly string[] = []): ServicePlan => {
  const id = resourceId('compose', service)
  const change = { id, desired: undefined, baseline: undefined, live: { attributes: {} }, differences: [] }
  return { ...waits(service, seconds, after), steps: [{ kind: 'change', resource: 'compose', changes: [change] }] }
}

test('services that are not after each other wait side by side: the longest counts', () => {
  const path = criticalPath([waits('a', 10), waits('b', 60), waits('c', 20)], () => 0)
  expect(path).toEqual({ seconds: 60, services: ['b'] })
})

test('a chain adds up, with the health of its projects; what waits for nothing is not named', () => {
  const idle = { ...waits('files', 10, ['db']), watched: { units: [], projects: [] } }
  const plans = [starting('db', 10), idle, starting('app', 10, ['files']), waits('web', 5, ['app']), waits('cron', 30)]
  const path = criticalPath(plans, (id) => (id === 'compose:db' ? 40 : 0.5))
  expect(path).toEqual({ seconds: 65.5, services: ['db', 'app', 'web'] })
  expect(path && criticalPathText(path)).toBe('about 66 s of waiting: db -> app -> web')
})

test.each([
  ['nobody waits', [{ ...waits('a', 10), watched: { units: [], projects: [] } }, waits('b', 0)]],
  ['one waits', [waits('a', 10), waits('b', 0)]],
])('nothing is told where %s', (_, plans) => {
  expect(criticalPath(plans, () => 0)).toBeUndefined()
})

test.each([
  ['no health check', {}, 0],
  ['a start period', { healthcheck: { test: ['CMD', 'true'], interval: '10s', start_period: '1m30s' } }, 90],
  ['an interval alone', { healthcheck: { test: ['CMD', 'true'], interval: '500ms' } }, 0.5],
  ["docker's own times", { healthcheck: { test: ['CMD', 'true'] } }, 30],
  ['a health check that is switched off', { healthcheck: { disable: true, interval: '10s' } }, 0],
])('a compose service with %s', (_, service, seconds) => {
  expect(healthSecondsOf({ resolved: { services: { other: {}, service } } })).toBe(seconds)
})
