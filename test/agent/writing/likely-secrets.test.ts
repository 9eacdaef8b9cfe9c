import { expect, test } from 'vitest'
import { likelySecrets, secretPlaces } from '../../../agent/writing/likely-secrets.ts'

/** Put together here, so that no scanner takes this file for a leak. */
const token = (...parts: readonly string[]) => parts.join('')

test.each([
  ['requirepass s3cr3t-of-redis', 's3cr3t-of-redis'],
  ['  masterauth "two words"', 'two words'],
  ['password = hunter22', 'hunter22'],
  ['POSTGRES_PASSWORD=hunter22', 'hunter22'],
  ['      - DB_PASSWORD=hunter22', 'hunter22'],
  ['  "apiKey": "0123456789abcdef0123456789abcdef",', '0123456789abcdef0123456789abcdef'],
  ['clientSecret: hunter22 # rotated in May', 'hunter22'],
  ["primary_conninfo = 'host=db user=repl password=hunter22 sslmode=require'", 'hunter22'],
  ['DATABASE_URL=postgres://app:hunter22@db:5432/app', 'hunter22'],
  ['proxy_set_header Authorization "Basic YWRtaW46aHVudGVyMjIK";', 'YWRtaW46aHVudGVyMjIK'],
  ['    user admin insecure-password hunter22 groups ops', 'hunter22'],
  ['    stats auth admin:hunter22', 'hunter22'],
  ['user anna on >hunter22 ~* +@all', 'hunter22'],
  ['admin:$apr1$z8Wq1c3P$Zb5pXwQ0r1yM2hVtK9sJ3/', '$apr1$z8Wq1c3P$Zb5pXwQ0r1yM2hVtK9sJ3/'],
  ['PrivateKey = aB3dE5gH7jK9mN1pQ3sT5vX7zA2cE4gI6kM8oQ0sU1w=', 'aB3dE5gH7jK9mN1pQ3sT5vX7zA2cE4gI6kM8oQ0sU1w='],
  ['<password>hunter22</password>', 'hunter22'],
  ['cookie Zx8Kq2Lw9Rt4Yb7Nc1Vm5Hj3Gd6Fs0Pa', 'Zx8Kq2Lw9Rt4Yb7Nc1Vm5Hj3Gd6Fs0Pa'],
  [`# ${token('ghp', '_', 'a1B2c3D4e5'.repeat(4))}`, token('ghp', '_', 'a1B2c3D4e5'.repeat(4))],
  [`key ${token('AK', 'IA', 'ABCDEFGHIJKLMNOP')}`, token('AK', 'IA', 'ABCDEFGHIJKLMNOP')],
  [`hook ${token('xo', 'xb-', '123456789012-abcdef')}`, token('xo', 'xb-', '123456789012-abcdef')],
  [`x ${token('glp', 'at-', 'abcdefghij0123456789')}`, token('glp', 'at-', 'abcdefghij0123456789')],
])('%s: a secret, and where its value stands', (line, value) => {
  const text = `# a heading\n${line}\n`
  const [place, ...others] = secretPlaces(text)
  expect(others).toEqual([])
  expect(place?.line).toBe(2)
  expect(text.slice(place?.value?.start, place?.value?.end)).toBe(value)
  expect(place?.what).not.toContain(value)
})

test.each([
  'password_encryption = scram-sha-256',
  '# requirepass foobared',
  'ssl_certificate_key /etc/ssl/private/example.key;',
  'private_key: /etc/ssl/private/example.key',
  'PasswordAuthentication no',
  'PermitEmptyPasswords no',
  'password requisite pam_pwquality.so retry=3',
  'password [success=1 default=ignore] pam_unix.so obscure yescrypt',
  'passwd:         files systemd',
  'server_tokens off;',
  'bearer_token_file: /run/token',
  'password_file: /etc/prometheus/password',
  token('password: $', '{DB_PASSWORD}'),
  token('requirepass $', '{{ secrets.redis_requirepass }}'),
  'token = $TOKEN',
  'PASSWORD=',
  'password: changeme',
  'host    all    all    127.0.0.1/32    scram-sha-256',
  'ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDx8Kq2Lw9Rt4Yb7Nc1Vm5Hj3Gd6Fs0PaQw2Er4Ty anna@desk',
  'include /usr/share/doc/postgresql-common-2026/examples/Some_Directory_Name1/x2.conf',
  'image: registry.example.org/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'curl https://example.org:8443/path@2x.png',
])('%s: no secret', (line) => {
  expect(likelySecrets(line)).toEqual([])
})

test('a private key is one finding, a certificate none', () => {
  const key = ['-----BEGIN ', 'PRIVATE KEY-----'].join('')
  const body = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj'
  expect(likelySecrets(`a\n${key}\n${body}\n`)).toEqual([{ line: 2, what: 'a private key' }])
  expect(likelySecrets(`-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`)).toEqual([])
  expect(likelySecrets(`-----BEGIN CERTIFICATE-----\n${body}\nrequirepass hunter22\n`)).toMatchObject([{ line: 3 }])
})

test('one finding a line, in the order of the text', () => {
  expect(likelySecrets('a\npassword=hunter22 token=hunter23\n\nrequirepass hunter24')).toEqual([
    { line: 2, what: 'the value of "password"' },
    { line: 4, what: 'the value of "requirepass"' },
  ])
})

test('a value of many lines is told, with nothing to replace', () => {
  expect(secretPlaces('password: |\n  hunter22\n')).toEqual([
    { line: 1, what: 'the value of "password"', key: 'password' },
  ])
})

test('a megabyte without an end of line is looked at in no time', () => {
  const began = performance.now()
  likelySecrets('password-'.repeat(120_000))
  likelySecrets(`${'user a '.repeat(150_000)}\n`)
  expect(performance.now() - began).toBeLessThan(3000)
})
