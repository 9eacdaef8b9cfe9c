// No value of a secret gets into a commit, in any of the forms that the mask knows, at any place of any file that adoption writes.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exposures } from '../../../agent/adopt/exposure.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { formsOf } from '../../../agent/plan/mask-forms.ts'

const secret = fc
  .oneof(
    fc.stringMatching(/^[A-Za-z0-9+/_.=-]{8,64}$/),
    fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' }),
    fc.string({ minLength: 8, maxLength: 30, unit: 'grapheme' }),
  )
  .filter((value) => value.trim().replace(/\s+/g, '').length >= 8)

const source = 'services/web/files/etc/web.conf'

test('each form is refused with its line, in text and in bytes, new or beside what the repository has', () => {
  fc.assert(
    fc.property(secret, fc.nat(), fc.lorem(), fc.boolean(), fc.boolean(), (value, which, around, isNew, isBinary) => {
      const forms = formsOf(value, 4)
      const form = forms[which % forms.length] ?? value
      const before = isNew ? undefined : Buffer.from(`# ${around}\n`)
      const head = isBinary ? '\0\x01\n' : ''
      const content = Buffer.from(`${head}# ${around}\nkey = "${form}"\n`)
      const found = exposures({ source, content, before, isNotSecret: true }, maskFor([value]))
      expect(found.map(({ where }) => where?.line)).toContain(isBinary ? 3 : 2)
      expect(JSON.stringify(found)).not.toContain(JSON.stringify(value).slice(1, -1))
    }),
    { numRuns: 1000 },
  )
})

test('a path that holds one is refused without being told', () => {
  const found = exposures(
    {
      source: 'services/web/files/etc/hunter2hunter2.conf',
      content: Buffer.from('a\n'),
      before: undefined,
      isNotSecret: false,
    },
    maskFor(['hunter2hunter2']),
  )
  expect(found).toHaveLength(1)
  expect(JSON.stringify(found)).not.toContain('hunter2')
})

test('what the repository has already is not told again', () => {
  const before = Buffer.from('user = web\npassword = zeh7Ksoq2\nname = nginx-user\n')
  const content = Buffer.from('user = web\npassword = zeh7Ksoq2\nname = nginx-user\nworkers = 4\n')
  const mask = maskFor(['nginx-user'])
  expect(exposures({ source, content, before, isNotSecret: false }, mask)).toEqual([])
  const moved = Buffer.from(`${content}other = nginx-user\npassword = 9dk3jWq0x\n`)
  expect(
    exposures({ source, content: moved, before, isNotSecret: false }, mask).map(({ where }) => where?.line),
  ).toEqual([5, 6])
})
