// Large messages are parsed in slices: the same values as at once, and everybody else is served meanwhile.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonInSlices } from '../../../server/agents/json-slices.ts'
import { parseMessage } from '../../../server/agents/parse-message.ts'
import { agentMessageSchema } from '../../../shared/protocol.ts'
import { reportLimits } from '../../../shared/report.ts'

const sliced = (text: string, sliceLength = 8) => parseJsonInSlices(text, { sliceLength, turn: async () => {} })

describe('in slices', () => {
  test('a text means what JSON.parse says it means', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.json({ maxDepth: 5 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 40 }),
        async (text, indent, at) => {
          const spaced = JSON.stringify(JSON.parse(text), null, indent)
          expect(await sliced(spaced, at)).toEqual(JSON.parse(spaced))
        },
      ),
    )
  })

  test('a text that JSON.parse refuses is refused', async () => {
    const broken = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', ',', '"', '[', ']', '{', '}', ':', '\\', 'x'))
      .map(
        ([text, at, put]) =>
          `${text.slice(0, at % (text.length + 1))}${put}${text.slice((at % (text.length + 1)) + 1)}`,
      )
    await fc.assert(
      fc.asyncProperty(broken, fc.integer({ min: 1, max: 20 }), async (text, at) => {
        const parsed = await sliced(text, at).then(
          (value) => ({ value }),
          () => 'refused',
        )
        expect(parsed).toEqual(atOnce(text))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['a comma too many', '[1234567890,]'],
    ['a comma at the start', '[,1234567890]'],
    ['no key', '{1:"12345678901234567890"}'],
    ['another bracket', '[1234567890}'],
    ['no end', '["1234567890'],
    ['nothing', ''],
  ])('%s is refused', async (_what, text) => {
    await expect(sliced(text)).rejects.toThrow(SyntaxError)
  })

  test('a poisoned key is a key', async () => {
    const value = await sliced('{"__proto__":{"polluted":"yes, for a long time"},"a":1}')

    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(JSON.stringify(value)).toContain('__proto__')
  })

  test('nesting without end is refused and not followed', async () => {
    await expect(sliced(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).rejects.toThrow('nested too deep')
  })
})

describe.each(largeMessages())('a message of %s', (_what, message) => {
  const text = JSON.stringify(message)

  test('is what the schema makes of it at once', async () => {
    expect(await parseMessage(text)).toEqual(agentMessageSchema.safeParse(message).data)
  })

  test('leaves many turns to others', async () => {
    let turns = 0
    let over = false
    const count = () => {
      turns += 1
      if (!over) setImmediate(count)
    }
    count()

    await parseMessage(text)

    over = true
    expect(turns).toBeGreaterThan(text.length / 1024 / 1024)
  })
})

test('what breaks a limit of the schema is refused in slices too', async () => {
  const services = Array.from({ length: reportLimits.services + 1 }, (_, index) => service(`s${index}`, 1, 300))
  const message = report({ services })

  expect(await parseMessage(JSON.stringify(message))).toBeUndefined()
  expect(agentMessageSchema.safeParse(message).success).toBe(false)
})

test('a large message that is none is refused, and the next one is heard', async () => {
  const [first] = await Promise.all([
    parseMessage(`[${'1,'.repeat(400_000)}`),
    parseMessage('{"type":"heartbeat","at":"x"}'),
  ])

  expect(first).toBeUndefined()
  expect(await parseMessage(JSON.stringify(largeMessages()[0]?.[1]))).toBeDefined()
})

function largeMessages(): readonly (readonly [string, object])[] {
  const revision = 'a'.repeat(40)
  const change = (index: number) => ({ service: 's', summary: `${index} `.padEnd(4000, 'x'), unknown: index })
  return [
    [
      'changes',
      report({ apply: { revision, at: 'x', failed: [], changes: Array.from({ length: 1500 }, (_, n) => change(n)) } }),
    ],
    ['findings', report({ services: [service('s', 6000, 500)] })],
    ['services', report({ services: Array.from({ length: 900 }, (_, n) => service(`s${n}`, 4, 1500)) })],
    ['pending', report({ services: [{ service: 's', findings: [], pending: pending(18_000) }] })],
  ]
}

function report(over: object): object {
  const about = { id: 'r', host: 'web-1', at: 'x', agentVersion: '1', platform: 'x', dropped: 0 }
  return { type: 'report', report: { ...about, services: [], problems: [], ...over } }
}

function service(name: string, findings: number, length: number): object {
  const finding = (index: number) => ({
    ...{ resource: `file:/etc/f${index}`, summary: 'x'.repeat(length) },
    ...{ differences: [], diffCut: false, evidence: {} },
  })
  return { service: name, findings: Array.from({ length: findings }, (_, index) => finding(index)), pending: [] }
}

function pending(count: number): readonly object[] {
  return Array.from({ length: count }, (_, index) => ({ resource: `file:/etc/f${index}`, summary: 'x'.repeat(100) }))
}

function atOnce(text: string): unknown {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return 'refused'
  }
}
