// The server's own certificate changes with its name and with time; its key, which hosts pin, never.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultSettings } from '../../../server/settings.ts'
import { certificateFor } from '../../../server/tls.ts'

test('another public name, and the last year, make another certificate for the same key', async () => {
  const data = mkdtempSync(join(tmpdir(), 'plumb-tls-'))
  const made = async (publicUrl: string, at: string) => {
    const settings = {
      ...defaultSettings(data, '/nowhere'),
      publicUrl: new URL(publicUrl),
      tls: { kind: 'self-signed' } as const,
    }
    const certificate = await certificateFor(settings, new Date(at))
    if (certificate === undefined) throw new Error('no certificate')
    return { ...certificate, parsed: new X509Certificate(certificate.certificate) }
  }
  const first = await made('https://old.example.org', '2026-01-01')
  const same = await made('https://old.example.org', '2034-01-01')
  const renamed = await made('https://new.example.org', '2034-01-01')
  const later = await made('https://new.example.org', '2043-06-01')
  rmSync(data, { recursive: true })

  expect(same.certificate).toBe(first.certificate)
  expect(new Set([first, renamed, later].map(({ certificate }) => certificate)).size).toBe(3)
  expect(
    new Set([first, renamed, later].map(({ serverKey }) => (serverKey.kind === 'none' ? '' : serverKey.pin))).size,
  ).toBe(1)
  expect(renamed.parsed.checkHost('new.example.org')).toBe('new.example.org')
  expect(later.parsed.validToDate.getFullYear()).toBe(2053)
})
