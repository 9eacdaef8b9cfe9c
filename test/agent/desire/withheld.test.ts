// A secret that this host cannot give withholds what depends on it, and nothing else.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { recordSecretReads, secretsUnchanged } from '../../../agent/desire/secret-digests.ts'
import { type Secrets, secretsOf } from '../../../agent/desire/secrets.ts'
import { desire, ofKind, secretsWith, temporaryDirectory } from './fleet.ts'

const files = {
  'services/db/service.yaml': 'files: { /etc/db.conf: { template: true } }\n',
  'services/db/files/etc/db.conf': `password = \${{ secrets.db }}\n`,
  'services/db/files/etc/db.plain': 'plain\n',
  'services/web/files/etc/web.conf': 'plain\n',
}

type Make = (path: string) => void

const bom = 'it has a byte order mark in it, which would be part of the value'
const ciphertextOf = (tool: string) => `it is encrypted by ${tool}, and a host would get the ciphertext`

const unusable: readonly (readonly [string, Make, string])[] = [
  ['is empty', (path) => write(path, ''), 'it is empty'],
  ['holds a newline alone', (path) => write(path, '\n'), 'it is empty'],
  ['holds blanks and a CRLF', (path) => write(path, ' \t\r\n'), 'it is empty'],
  ['is a directory', (path) => mkdirSync(path, { mode: 0o700 }), 'it is a directory'],
  ['is a FIFO', (path) => execFileSync('mkfifo', ['-m', '600', path]), 'it is not a plain file'],
  ['is a symlink', (path) => symlinkSync('elsewhere', path), 'it is a symlink'],
  ['is not UTF-8', (path) => write(path, Buffer.from([0xff, 0xfe])), 'it is not UTF-8 text'],
  ['is UTF-16', (path) => write(path, Buffer.from('hunter2\n', 'utf16le')), 'it has NUL bytes in it'],
  ['begins with a byte order mark', (path) => write(path, '\ufeffhunter2\n'), bom],
  ['has a byte order mark in it', (path) => write(path, 'hunter\ufeff2\n'), bom],
  ['is of ansible-vault', (path) => write(path, '$ANSIBLE_VAULT;1.1;AES256\n3731\n'), ciphertextOf('ansible-vault')],
  ['is a value of SOPS', (path) => write(path, 'ENC[AES256_GCM,data:p6==,type:str]\n'), ciphertextOf('SOPS')],
  ['is of age', (path) => write(path, 'age-encryption.org/v1\n-> X25519 abc\n'), ciphertextOf('age')],
  ['is a PGP message', (path) => write(path, '-----BEGIN PGP MESSAGE-----\n\nhQ\n'), ciphertextOf('OpenPGP')],
  ['is too large', (path) => write(path, 'x'.repeat(65_537)), 'it is larger than 65536 bytes'],
]

test.each(unusable)('a secret that %s is a missing secret, of its service alone', async (_, make, reason) => {
  const directory = temporaryDirectory()
  make(join(directory, 'db'))

  const [db, web] = await servicesWith(await secretsOf(directory))

  expect(db?.withheld?.problems).toEqual([
    {
      code: 'secret-missing',
      service: 'db',
      message: `${directory}/db cannot be read as a secret (${reason}).`,
      remedy: 'Write the value to it as a plain file of owner root and mode 0600.',
    },
  ])
  expect(db?.withheld?.resources).toEqual([{ id: 'file:/etc/db.conf', path: '/etc/db.conf' }])
  expect(db?.resources.map(({ id }) => id)).toEqual(['file:/etc/db.plain'])
  expect(web).not.toHaveProperty('withheld')
})

test('a secret that does not exist is named at each place, with the nearest name', async () => {
  const secrets = await secretsWith({ bd: 'x' })

  const [db] = await servicesWith(secrets)

  expect(db?.withheld?.problems).toEqual([
    {
      code: 'secret-missing',
      service: 'db',
      message: 'the secret "db" is not set on this host.',
      where: { file: 'services/db/files/etc/db.conf', line: 1, column: 12 },
      remedy: `Did you mean "bd"? Write its value to ${secrets.directory}/db on the host (owner root, mode 0600, in a directory of mode 0700).`,
    },
  ])
})

test('secrets that others can read, and a directory of secrets that cannot be read, withhold all that name one', async () => {
  const open = await secretsWith({ db: 'x' })
  chmodSync(join(open.directory, 'db'), 0o644)
  const exposed = await secretsWith({ db: 'x' })
  chmodSync(exposed.directory, 0o755)
  const file = join(temporaryDirectory(), 'secrets')
  write(file, 'in the place of the directory')

  const codes = []
  for (const secrets of [open, exposed, await secretsOf(file)]) {
    const [db, web] = await servicesWith(secrets)
    codes.push(db?.withheld?.problems.map(({ code }) => code))
    expect(web).not.toHaveProperty('withheld')
  }

  expect(codes).toEqual([['secret-exposed'], ['secret-exposed'], ['secret-missing']])
})

test('a value that breaks the JSON it is filled into is wrong on this host alone', async () => {
  const { desired } = await desire(
    {
      ...files,
      'services/db/service.yaml': 'files: { /etc/db.conf: { template: true, compare: json } }\n',
      'services/db/files/etc/db.conf': `{ "password": \${{ secrets.db }} }\n`,
    },
    { secrets: await secretsWith({ db: 'hunter2' }) },
  )

  expect(desired.services.map(({ withheld }) => withheld?.problems.map(({ message }) => message))).toEqual([
    ['is compared as JSON, but, once it is filled in, is no JSON that can be judged: expected a value.'],
    undefined,
  ])
})

test('a compose project whose files are not all there is withheld with them; one that lacks a password is not', async () => {
  const project = {
    'services/db/compose.yaml': 'services: {}\n',
    'services/db/db.env': `PASSWORD=\${{ secrets.db }}\n`,
  }
  const settings = 'compose: { registries: { r.example.org: { username: u, password: token } } }\n'
  const withFiles = await desire({ ...project, 'services/db/service.yaml': 'files: { db.env: { template: true } }\n' })
  const withPassword = await desire({
    'services/db/compose.yaml': 'services: {}\n',
    'services/db/service.yaml': settings,
  })

  expect(withFiles.desired.services[0]?.withheld?.resources.map(({ id }) => id)).toEqual([
    'file:/srv/compose/db/db.env',
    'compose:db',
  ])
  const [lacking] = withPassword.desired.services
  expect(lacking && ofKind('compose', lacking)).toHaveLength(1)
  expect(lacking?.withheld).toMatchObject({ resources: [], problems: [{ code: 'secret-missing', service: 'db' }] })
})

test('what a host lacks is noted, so that a value that comes, goes or changes is seen', async () => {
  const directory = temporaryDirectory()
  const secret = join(directory, 'db')
  const { secrets, digests } = recordSecretReads(await secretsOf(directory))
  await desire(files, { secrets })
  const isSame = async () => secretsUnchanged(digests, await secretsOf(directory))

  expect(await isSame()).toBe(true)
  write(secret, '')
  expect(await isSame()).toBe(false)
  write(secret, 'value')
  expect(await isSame()).toBe(false)
})

async function servicesWith(secrets: Secrets) {
  return (await desire(files, { secrets })).desired.services
}

function write(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content, { mode: 0o600 })
}
