// Content that no host should get: refused by lint and by the agent alike, unless service.yaml means it.
import { expect, test } from 'vitest'
import { lintDirectory } from '../../../agent/commands/lint.ts'
import { foreignForm } from '../../../agent/desire/foreign-content.ts'
import { problemLine } from '../../../shared/problem.ts'
import { desire, desiredService, type Files, fleetDirectory, readerOf, refusal } from './fleet.ts'

const conflict = 'a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> feature\n'
const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex')

test.each([
  ['lfs-pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n'],
  ['lfs-pointer', 'version https://git-lfs.github.com/spec/v1\next-0-foo sha256:1\noid sha256:0\nsize 5\n'],
  ['annex-pointer', '/annex/objects/SHA256E-s5--abc.bin\n'],
  ['git-crypt', '\0GITCRYPT\0abcdefghijklm'],
  ['ansible-vault', '$ANSIBLE_VAULT;1.1;AES256\n33396339\n'],
  ['ansible-vault', 'user: app\npassword: !vault |\n  $ANSIBLE_VAULT;1.2;AES256;prod\n  3339\n'],
  ['sops', 'ENC[AES256_GCM,data:YWJj,iv:YWJj,tag:YWJj,type:str]\n'],
  ['sops', 'pw: ENC[AES256_GCM,data:YWJj,tag:YWJj,type:str]\nsops:\n    mac: ENC[AES256_GCM,data:YWJj]\n'],
  ['sops', '{\n\t"data": "ENC[AES256_GCM,data:YWJj]",\n\t"sops": {\n\t\t"mac": "ENC[AES256_GCM,data:YWJj]"\n\t}\n}'],
  ['sops', 'PW=ENC[AES256_GCM,data:YWJj,type:str]\nsops_version=3.8.1\nsops_mac=ENC[AES256_GCM,data:YWJj]\n'],
  [
    'sops',
    '[db]\npw = ENC[AES256_GCM,data:YWJj]\n\n[sops]\nlastmodified = 2026-01-01T00:00:00Z\nmac = ENC[AES256_GCM,d]\n',
  ],
  ['age', 'age-encryption.org/v1\n-> X25519 abc\n'],
  ['age', '\ufeff\n-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n'],
  ['openpgp', '-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n'],
  ['openpgp', hex('8501 8c03 413d 3fbb a1e2 622a 010c 009d')],
  ['openpgp', hex('845e 0341 3d3f bba1 e262 2a12 0107')],
  ['openpgp', hex('8c0d 0409 0302 f3cf 2fe1 21c4 642b ffd2')],
  ['openssl', hex('5361 6c74 6564 5f5f a27a ec9b aacb ae9a')],
  ['openssl', 'U2FsdGVkX18ik8JJWY+GkVLhT/MWJe09sBxzb6QufrE=\n'],
  ['ejson', '{ "_public_key": "63cc", "password": "EJ[1:abc=]" }'],
  ['eyaml', `password: >\n  ENC[PKCS7,${'MIIBiQYJKoZIhvcNAQcDoIIB'.repeat(3)}]\n`],
  ['sops', '{"a":"ENC[AES256_GCM,data:YWJj]","sops":{"lastmodified":"x","mac":"ENC[AES256_GCM,d]"}}'],
  ['age', 'age-encryption.org/v1\r\n-> X25519 abc\r\n'],
  ['openpgp', hex('8c2d 0509 0203 f3cf 2fe1 21c4 642b ffd2')],
  ['openpgp', hex('c1c0 4c03 413d 3fbb a1e2 622a 0107 009d')],
  ['strongbox', '# STRONGBOX ENCRYPTED RESOURCE ; See https://github.com/uw-labs/strongbox\nabc=\n'],
  ['cms', '-----BEGIN CMS-----\nMIIB\n-----END CMS-----\n'],
  ['cms', 'MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name="x.p7m"\n\nMII\n'],
  [
    'merge-conflict',
    '<<<<<<< Conflict 1 of 1\n%%%%%%% Changes from base\n-a\n+b\n+++++++ Contents\nc\n>>>>>>> Conflict 1 of 1 ends\n',
  ],
  ['vim', 'VimCrypt~03!abcdefgh'],
  ['ansible-vault', '\ufeff$ANSIBLE_VAULT;1.1;AES256\r\n33396339\r\n'],
  ['dotenvx', '#/---/\nDOTENV_PUBLIC_KEY="03f8"\n\n# .env\nHELLO="encrypted:BDqDBibm4wsYqMpCjTQ6Bs"\n'],
  ['merge-conflict', conflict],
  ['merge-conflict', conflict.replaceAll('\n', '\r\n')],
  ['merge-conflict', 'a\n<<<<<<< ours\nb\n||||||| base\nx\n=======\nc\n>>>>>>> theirs'],
])('%s: %j', (form, content) => {
  expect(foreignForm(Buffer.from(content))).toBe(form)
})

test.each([
  '{"editor":{"sops":true},"pattern":"ENC[AES256_GCM,"}',
  'MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=signed-data\n\nMII\n',
  '-----BEGIN PKCS7-----\nMII\n-----END PKCS7-----\n',
  'apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: { encryptedData: { a: AgB } }\n',
  'Heading\n=======\n\nText\n',
  'PLAIN=x\nSTATE=encrypted:yes\n',
  '<<<<<<< a quotation\nwithout the rest\n',
  '>>>>>>> c\n=======\n<<<<<<< a\n',
  ' <<<<<<< indented\n =======\n >>>>>>> as in a diff\n',
  'the file begins with $ANSIBLE_VAULT; when it is encrypted\n',
  'sops: { mac: secret }\n',
  'values look like ENC[PKCS7,...] in such a file\n',
  'pattern = "ENC[AES256_GCM,data:"\n',
  'Dear Anna,\n\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n',
  '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----\n',
  '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n',
  hex('9901 8d04 6b0c e4d1 010c 00c1 38c0 ad25'),
  hex('8901 c204 0001 0a00 2c16 2104 53df 6fb4'),
  hex('7f45 4c46 0201 0100'),
  '',
])('ordinary content: %j', (content) => {
  expect(foreignForm(Buffer.from(content))).toBeUndefined()
})

const files: Files = {
  'services/a/files/etc/conflict.conf': conflict,
  'services/a/files/etc/vault.yml': '$ANSIBLE_VAULT;1.1;AES256\n33396339\n',
  'services/a/files/etc/annexed': { link: '../../../../.git/annex/objects/aa/bb/SHA256E-s5--x/SHA256E-s5--x' },
  'services/a/compose.yaml': 'services: { a: { image: x } }\n',
  'services/a/app.env': '\0GITCRYPT\0abcdefghijklm',
  'services/a/units/a.service': conflict,
  'services/a/files/etc/t': `${conflict}${'$'}{{ host.name }}\n`,
  'services/a/service.yaml': 'files: { /etc/t: { template: true } }\n',
}
const refused = [
  'services/a/app.env',
  'services/a/files/etc/annexed',
  'services/a/files/etc/conflict.conf',
  'services/a/files/etc/t',
  'services/a/files/etc/vault.yml',
  'services/a/units/a.service',
]

test('lint and the agent refuse the same files, wherever they stand in a service, and say what each is', async () => {
  const problems = await refusal(desire(files))
  expect(problems.map(({ where }) => where?.file).toSorted()).toEqual(refused)
  const linted = await lintDirectory(fleetDirectory(files))
  expect(linted.map(problemLine).toSorted()).toEqual(problems.map(problemLine).toSorted())
  expect(linted.map(problemLine)).toContainEqual(
    expect.stringMatching(
      /vault\.yml: is encrypted by ansible-vault, .* `allow: encrypted` under files in service\.yaml\.$/,
    ),
  )
})

test('`allow` deploys the one form that it names', async () => {
  const { resources } = await desiredService({
    'services/a/files/etc/conflict.conf': conflict,
    'services/a/files/etc/vault.yml': '$ANSIBLE_VAULT;1.1;AES256\n33396339\n',
    'services/a/service.yaml': `files:
  /etc/conflict.conf: { allow: conflict-markers }
  /etc/vault.yml: { allow: encrypted }
`,
  })
  expect(resources).toHaveLength(2)
  const wrong = await refusal(
    desire({
      'services/a/files/etc/conflict.conf': conflict,
      'services/a/files/etc/big': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n',
      'services/a/service.yaml':
        'files: { /etc/conflict.conf: { allow: encrypted }, /etc/big: { allow: encrypted } }\n',
    }),
  )
  expect(wrong.map(({ where }) => where?.file)).toEqual([
    'services/a/files/etc/big',
    'services/a/files/etc/conflict.conf',
  ])
})

test('a blob that was allowed is refused when `allow` leaves, though its digest is remembered', async () => {
  const allowed: Files = {
    'services/a/files/etc/c': conflict,
    'services/a/service.yaml': 'files: { /etc/c: { allow: conflict-markers } }\n',
  }
  const { digests } = await desire(allowed)
  const reader = await readerOf({ 'services/a/files/etc/c': conflict })
  expect(await refusal(desire({}, { reader, digests }))).toMatchObject([{ where: { file: 'services/a/files/etc/c' } }])
})

// Quadratic work on them would take hours, and end at the limit of the test.
test('16 MiB of markers without an end are classified in linear time', () => {
  expect(foreignForm(Buffer.from('<<<<<<< x\n=======\n'.repeat(900_000)))).toBeUndefined()
  expect(foreignForm(Buffer.from(`ENC[AES256_GCM,${'\n "'.repeat(5_000_000)}`))).toBeUndefined()
})
