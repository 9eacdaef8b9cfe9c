// Tokens and private keys that say what they are: none of it stays in a text, whatever stands around it, and no line is lost.
import { expect, test } from 'vitest'
import { maskFor } from '../../../agent/plan/mask.ts'
import { withoutKnownSecrets } from '../../../agent/writing/known-tokens.ts'
import { maskText } from '../../../shared/mask-text.ts'

const body = ['b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ', 'QyNTUxOQAAACDx8Zk0c3RhbmRzIGZvciBhIGtleQ==']
const pem = (kind: string) => `-----BEGIN ${kind}-----\n${body.join('\n')}\n-----END ${kind}-----`
const ssh = pem('OPENSSH PRIVATE KEY')
const encoded = (text: string) => Buffer.from(text).toString('base64')

test.each([
  ['OpenSSH', ssh],
  ['PKCS#1', pem('RSA PRIVATE KEY')],
  ['PKCS#8, encrypted', pem('ENCRYPTED PRIVATE KEY')],
  ['with headers', ssh.replace('\n', '\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n')],
  ['PGP', pem('PGP PRIVATE KEY BLOCK').replace('\n', '\nVersion: GnuPG v2\n\n')],
  [
    'of ssh.com',
    `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n${body.join('\n')}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----`,
  ],
  ['indented, in YAML', `key: |\n${ssh.replace(/^/gm, '    ')}\nnext: 1`],
  ['on one line, in JSON', JSON.stringify({ key: ssh })],
  ['as a program printed it in a diff', ssh.replace(/^/gm, '+')],
  ['quoted line by line', ssh.replace(/^/gm, '> ')],
  ['with CRLF', ssh.replaceAll('\n', '\r\n')],
  ['without its end', ssh.slice(0, -40)],
  ['without its beginning', ssh.slice(ssh.indexOf('\n') + 1)],
  ['two of them', `${ssh}\nbetween\n${pem('EC PRIVATE KEY')}`],
])('a private key: %s', (_name, text) => {
  const masked = withoutKnownSecrets(`before it\n${text}\nafter it: all of this stays`)
  for (const line of body) expect(masked).not.toContain(line.slice(0, 12))
  expect(masked).toContain(maskText)
  expect(masked).toContain('before it\n')
  expect(masked).toContain('\nafter it: all of this stays')
  expect(masked.split('\n').length).toBe(text.split('\n').length + 2)
  if (text.includes('between')) expect(masked).toContain('\nbetween\n')
})

test.each([
  ['GitHub', `ghp_${'0123456789abcdefghij'.repeat(2)}`],
  ['AWS', 'AKIAIOSFODNN7EXAMPLE'],
  ['GitLab', `glpat-${'x1'.repeat(12)}`],
  ['Slack', `xoxb-${'12345-'.repeat(4)}abc`],
  ['Stripe', `sk_live_${'a1'.repeat(12)}`],
  ['age', `AGE-SECRET-KEY-1${'QP'.repeat(29)}`],
  ['a JWT', `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(20)}`],
  ['a key in a Secret of Kubernetes', encoded(ssh)],
  ['GitLab, of a runner', `GR1348941${'x1'.repeat(10)}`],
  ['GitLab, of incoming mail', `glimt-${'x1'.repeat(12)}`],
  ['Slack, of an app', `xapp-1-A111-123-${'0f'.repeat(32)}`],
  ['Stripe, of a webhook', `whsec_${'a1'.repeat(16)}`],
  ['OpenAI, of a service', `sk-svcacct-${'a1'.repeat(20)}`],
  ['PyPI', `pypi-AgEIcHlwaS5vcmc${'a1'.repeat(30)}`],
  ['Telegram', `123456789:AA${'a1'.repeat(16)}x`],
  ['Vault', `hvs.${'a1'.repeat(45)}`],
  ['Tailscale', `tskey-auth-${'a1'.repeat(6)}CNTRL-${'b2'.repeat(16)}`],
  ['Cloudflare, of a tunnel', `eyJhIjoi${'a1'.repeat(60)}`],
  ['Grafana', `glsa_${'a1'.repeat(16)}_0f0f0f0f`],
  ['Hugging Face', `hf_${'a1'.repeat(17)}`],
  ['DigitalOcean', `dop_v1_${'0f'.repeat(32)}`],
  ['Doppler', `dp.st.prd.${'a1'.repeat(20)}`],
  ['Google', `GOCSPX-${'a1'.repeat(14)}`],
  ['Atlassian', `ATATT3xFfGF0${'a1'.repeat(90)}`],
  ['Plumbline, of an enrollment', `plumb_${'a1B-'.repeat(10)}c_3`],
  ['Plumbline, of a session', `session_${'a1B-'.repeat(10)}c_3`],
  ['Plumbline, of an operator', `operator_${'a1B-'.repeat(10)}c_3`],
  ['Plumbline, for a sync', `sync_${'a1B-'.repeat(10)}c_3`],
  ['Plumbline, of a host that fetches', `1767225600.${'a1'.repeat(43)}`],
  ['Twilio', `SK${'0f'.repeat(16)}`],
  ['Notion, before 2024', `secret_${'a1'.repeat(21)}B`],
  ['Square', `EAAA${'aB1_'.repeat(15)}`],
  ['Azure, of an application', `aB18Q~${'a1-B'.repeat(8)}`],
  ['Mailchimp', `${'0f'.repeat(16)}-us14`],
  ['Airtable', `pat${'aB'.repeat(7)}.${'0f'.repeat(32)}`],
  ['Postman', `PMAK-${'0f'.repeat(12)}-${'0f'.repeat(17)}`],
  ['Dynatrace', `dt0c01.${'AB'.repeat(12)}.${'C3'.repeat(32)}`],
  ['OpenShift', `sha256~${'a1B-'.repeat(10)}c_3`],
  ['SonarQube', `sqp_${'0f'.repeat(20)}`],
  ['Brevo', `xkeysib-${'0f'.repeat(32)}-aB3`],
  ['Figma', `figd_${'a1B-'.repeat(10)}`],
  ['Artifactory', `AKCp8${'a1B2'.repeat(17)}`],
  ['an encrypted JWT', `eyJhbGciOiJkaXIifQ..${'a'.repeat(16)}.${'b'.repeat(40)}.${'c'.repeat(22)}`],
])('a token: %s', (_name, token) => {
  expect(withoutKnownSecrets(`x: "${token}", y\nz`)).toBe(`x: "${maskText}", y\nz`)
})

test.each([
  ['WireGuard', `PrivateKey = ${'a1B2'.repeat(10)}abc=`, `PrivateKey = ${maskText}`],
  ['AWS', `aws_secret_access_key=${'a1B2'.repeat(10)}`, `aws_secret_access_key=${maskText}`],
  [
    'a shared access address of Azure',
    `https://a.blob.core.windows.net/c?sv=2024-11-04&sig=${'aB1%2B'.repeat(7)}xyz%3D&se=2026`,
    `https://a.blob.core.windows.net/c?sv=2024-11-04&sig=${maskText}&se=2026`,
  ],
  [
    'an account of Azure',
    `AccountName=a;AccountKey=${'aB1+'.repeat(21)}ab==;X=y`,
    `AccountName=a;AccountKey=${maskText};X=y`,
  ],
  ['a bus of Azure', `SharedAccessKey=${'aB1+'.repeat(10)}abc=`, `SharedAccessKey=${maskText}`],
  ['an address', 'postgres://app:hunter2hunter2@db/app', `postgres://app:${maskText}@db/app`],
  ['an address without a user', 'redis://:hunter2hunter2@db/0', `redis://:${maskText}@db/0`],
  [
    'a webhook of Discord',
    `https://discord.com/api/webhooks/123456789012345678/${'a1'.repeat(34)}`,
    `https://${maskText}`,
  ],
  [
    'PuTTY',
    `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 2\n${body[0]}\n${body[1]}\nPrivate-MAC: 00`,
    `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 2\n${maskText}\n${maskText}\nPrivate-MAC: 00`,
  ],
])('a secret by what stands before it: %s', (_name, text, masked) => {
  expect(withoutKnownSecrets(`before\n${text}\nafter`)).toBe(`before\n${masked}\nafter`)
})

test.each(['', 'x', 'xy', 'xyz'])('a key that is encoded behind %j', (before) => {
  const masked = withoutKnownSecrets(encoded(`${before}${ssh}`))
  expect(masked).toMatch(/^.{0,6}\[secret\]$/)
})

test.each([
  `postgres://app:${'$'}{DB_PASSWORD}@db/app`,
  'http://[::1]:8080/ and user@host',
  'https://example.org:8443/@scope/package',
  'sk-learn and task-based-scheduling, npm_config_cache, key-value',
  'PrivateKeyFile = /etc/wireguard/key',
  'SKIP_0123456789abcdef',
])('what only looks like one stays: %s', (text) => {
  expect(withoutKnownSecrets(text)).toBe(text)
})

// Quadratic work on it would take longer than the limit of the test.
test.each(['a', 'a.', 'a-', 'a+', 'eyJa-', '://a:', 'LS0tLS1CRUdJTi', '1:AA', '\n+'])(
  'a megabyte of %j ends soon',
  (part) => {
    expect(withoutKnownSecrets(part.repeat(1_000_000 / part.length))).toBeTypeOf('string')
  },
)

test('what is public stays: certificates, public keys, hashes, words', () => {
  const text = [pem('CERTIFICATE'), pem('PUBLIC KEY'), encoded(pem('CERTIFICATE')), 'a'.repeat(64), 'sk_test_1'].join(
    '\n',
  )
  expect(withoutKnownSecrets(text)).toBe(text)
})

test('every mask of a report takes them out; what no --not-secret allows is the known values alone', () => {
  for (const mask of [maskFor([]), maskFor(['hunter2-of-the-database'])]) {
    expect(mask.text('AKIAIOSFODNN7EXAMPLE')).toBe(maskText)
    expect(mask.named('AKIAIOSFODNN7EXAMPLE')).toBe('AKIAIOSFODNN7EXAMPLE')
  }
})

test.each([
  ['a shorter word', 'plumb_token plumb_of_a_kind session_id secret_name EAAA sig=abc ?sig=short'],
  ['a digest', `sha256:${'0f'.repeat(32)} SK${'0f'.repeat(20)} ${'0f'.repeat(16)}-user`],
  ['a longer name', `plumb_${'a'.repeat(44)} secret_${'a'.repeat(50)} 12345678901.${'a'.repeat(86)}`],
])('no token: %s', (_name, text) => {
  expect(withoutKnownSecrets(text)).toBe(text)
})

test.each(['service', 'true', 'Running', '5432', ' restart '])(
  'the value %j of a secret is taken out of what others wrote, and not of our own sentences',
  (value) => {
    const mask = maskFor([value, 'p4ss-of-the-database'])
    const sentence = `the service is not running, true: restart it at 5432 (p4ss-of-the-database)`
    expect(mask.sentence(sentence)).toBe(sentence.replace('p4ss-of-the-database', maskText))
    expect(mask.text(`DB=${value.trim()}`)).toBe(`DB=${maskText}`)
  },
)

test('what is longer than a common word is taken out of our own sentences, too', () => {
  const mask = maskFor(['services-are-mine', '543210', 'trueish'])
  expect(mask.sentence('services-are-mine 543210 trueish')).toBe(`${maskText} ${maskText} ${maskText}`)
})
