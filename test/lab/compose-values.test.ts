// Values in containers, by real compose: what lint and agent work out of variables and quotes is what compose makes of them.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of compose files and templates are tested.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { readEnvironment } from '../../shared/repository/compose-environment.ts'
import { givenVariables, interpolate } from '../../shared/repository/compose-variables.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { deployed, projectLines } from './shop.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

describe.skipIf(reason !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let box: ComposeHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'values', 'trixie-docker')
  })
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })

  test('interpolation and .env are read as compose reads them', async () => {
    const environment = Object.fromEntries(texts.map((text, index) => [`V${index}`, text]))
    const read = readEnvironment(lines.map((line, index) => `E${index}=${line}`).join('\n'))
    const model = { services: { a: { image: 'x', environment, env_file: ['settings'] } } }
    await put(box, '/root/try/compose.yaml', JSON.stringify(model))
    await put(box, '/root/try/.env', 'SET=s\nEMPTY=\n')
    await put(box, '/root/try/settings', lines.map((line, index) => `E${index}=${line}`).join('\n'))

    const output = await box.host.output([
      'docker',
      'compose',
      '--project-name',
      'try',
      '--file',
      '/root/try/compose.yaml',
      'config',
      '--format',
      'json',
    ])

    // `config` writes `$` as `$$`, so that its output is a compose file again.
    const made = (name: string) => JSON.parse(output).services.a.environment[name].replaceAll('$$', '$')
    const values = new Map([...givenVariables.map((name) => [name, 'given'] as const), ['SET', 's'], ['EMPTY', '']])
    for (const [index, text] of texts.entries())
      expect({ text, value: interpolate(text, values).text }).toEqual({ text, value: made(`V${index}`) })
    for (const [index, line] of lines.entries())
      expect({ line, value: read.values.get(`E${index}`) }).toEqual({ line, value: made(`E${index}`) })
  })

  test('a secret arrives in a container as it is, by .env, by env_file and by the compose file', async () => {
    const secret = `p$w$$X{"#'; \\n%s & é`
    await put(box, '/etc/plumb/secrets/db', secret.replaceAll("'", ''), '0600')
    const compose = `services:
  db:
    image: localhost/box:1
    init: true
    command: sleep 100000
    env_file: [{ path: conf/db, required: true }]
    environment: { BY_ENV: "\${PASSWORD:?}" }
`
    await deployed(box, {
      store: {
        'compose.yaml': compose,
        '.env': `PASSWORD='\${{ secrets.db }}'\n`,
        'conf/db': `BY_FILE='\${{ secrets.db }}'\n`,
        'service.yaml': 'files: { .env: { template: true }, conf/db: { template: true } }\n',
      },
    })

    for (const name of ['BY_ENV', 'BY_FILE'])
      expect(await box.engine('exec', 'store-db-1', 'sh', '-c', `echo "$${name}"`.replace('$$', '$'))).toBe(
        secret.replaceAll("'", ''),
      )
    await deployed(box, {})
  })

  test('a variable without a value is refused by plan and apply, and no container is made', async () => {
    const compose =
      'services:\n  db:\n    image: localhost/box:1\n    command: sleep 100000\n    environment: { PASSWORD: "@" }\n'
    for (const written of ['${DB_PASSWORD}', '$DB_PASSWORD', 'x${DB_USER-u}${DB_PASSWORD}']) {
      await box.commit({ store: { 'compose.yaml': compose.replace('@', written) } })

      const [planned = ''] = projectLines(await box.plan('store'))
      const { code, text } = await box.plumb('apply')

      const what =
        'store reads variables that have no value, and compose would put an empty text in their place: DB_PASSWORD.'
      expect(planned).toContain(what)
      expect(code).toBe(1)
      expect(text).toContain(what)
      expect(await box.containers('store')).toEqual(new Map())
    }
    await deployed(box, { store: { 'compose.yaml': compose.replace('@', '${DB_PASSWORD-}') } })
    await deployed(box, {})
  })
})

const texts = [
  'a$$b',
  'a$5b',
  'a$ b',
  'end$',
  '$SET$SET',
  '${SET}',
  '${EMPTY}',
  '${NONE:-d}',
  '${NONE-d}',
  '${EMPTY:-d}',
  '${EMPTY-d}',
  '${NONE-a:-b}',
  '${NONE:-a b # c}',
  '${NONE:-a$$b}',
  '${NONE:-$SET}',
  '${NONE:-${OTHER:-deep}}',
  '${NONE:-a}${OTHER:-b}}',
  '${NONE:+a}',
  '${SET:+a}',
  '${EMPTY+a}',
  '${SET:?needed}',
  '$$SET',
  '$$$SET',
  '$${SET}',
  '$$$$A',
  '${SET:-a${UNSET}b}',
  '${UNSET}',
  '$UNSET-y',
  '${NONE:-{x}}',
]

const lines = [
  'plain',
  'with space  ',
  'a#b',
  'a #b',
  '"a #b"',
  `'a $X "q" \\n'`,
  '"a\\nb \\" \\$Y \\\\ \\t"',
  `'it\\'s'`,
  'a$$b',
  '"a$$b"',
  `'multi\nline'`,
  '"multi\nline"',
  '',
  '${NONE:-d}',
  'back\\slash\\n',
  `a'b'c`,
  'a"b"c',
  `'quoted' # comment`,
  '"quoted"# c',
  '$5x',
  'a\\$V',
  'Bcrypt$2y$10$abcdefg',
  `'$2y$10$abc'`,
  'ünï',
  'trailing\\',
  '  lead',
  'a%b!c^&*(){}[]|;<>?~`',
  '# only',
  `'a\\\\'`,
  '"a\\$V"',
]

async function put(box: ComposeHost, path: string, text: string, mode = '0644'): Promise<void> {
  await box.host.output([
    'sh',
    '-c',
    'umask 077; mkdir -p "$(dirname "$1")"; printf "%s" "$2" > "$1"; chmod "$3" "$1"',
    'sh',
    path,
    text,
    mode,
  ])
}
