import { expect, test } from 'vitest'
import { kindsOf } from '../../shared/finding-kind.ts'

test('a code that is finer than a kind is reported as its kind', () => {
  expect(kindsOf([{ codes: ['unsafe-link'] }, { codes: ['project-stopped'] }])).toEqual(['type', 'project-state'])
})

test('kinds are listed once, in the order of the differences', () => {
  expect(kindsOf([{ codes: ['mode'] }, { codes: ['unsafe-link'] }, { codes: ['type', 'mode'] }])).toEqual([
    'mode',
    'type',
  ])
})

test('a difference of an older agent has no code, and the neutral kind', () => {
  expect(kindsOf([{}, { codes: ['owner'] }])).toEqual(['other', 'owner'])
})

test('a code of a newer agent is its own kind', () => {
  expect(kindsOf([{ codes: ['of-tomorrow'] }])).toEqual(['of-tomorrow'])
})
