// The compose project that the tests of compose deploy, and what they ask of its host.
import { expect } from 'vitest'
import type { TestFiles } from '../support/git.ts'
import type { ComposeHost } from './compose-host.ts'

export const shopDirectory = '/srv/compose/shop'

export const compose = `services:
  web:
    image: localhost/box:1
    init: true
    command: sleep 100000
    volumes: [ "./app.conf:/etc/app.conf:ro", "./site:/site", "./data:/data" ]
    # web
  db:
    image: localhost/box:1
    init: true
    command: sleep 200000
    env_file: db.env
    # db
`

export const files: TestFiles = {
  'compose.yaml': compose,
  'app.conf': 'one',
  'db.env': 'SIZE=1\n',
  'site/index.html': 'one',
}

/** A commit that must be applied in full. */
export async function deployed(box: ComposeHost, services: Readonly<Record<string, TestFiles>>): Promise<void> {
  await box.commit(services)
  const { code, text } = await box.plumb('apply')
  expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining('in sync') })
}

export function projectLines(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line.startsWith('compose project '))
}
