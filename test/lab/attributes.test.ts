// What a person gave a file beside content, mode and owner - ACL, extended attributes, capabilities - and what an apply makes of it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { Files } from '../agent/desire/fleet.ts'
import { FleetHost } from './fleet-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`attributes of files cannot be shown here: ${reason}`)

describe.skipIf(reason !== null)('on a booted Debian 12', () => {
  let lab: Lab
  let box: LabHost
  let fleet: FleetHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await lab.host('attributes', 'bookworm')
    fleet = new FleetHost(box)
    await sh('apt-get -q update && apt-get -qy install acl attr libcap2-bin')
  })
  afterAll(() => {
    fleet?.close()
    lab?.close()
  })

  const sh = (script: string) => box.output(['sh', '-c', `export DEBIAN_FRONTEND=noninteractive; ${script}`])
  const acl = (path: string) => sh(`getfacl --omit-header --absolute-names ${path} | grep -v '^$' | paste -sd' '`)
  const note = (path: string) => sh(`getfattr --only-values -n user.note ${path}`)
  const inode = (path: string) => sh(`stat -c %i ${path}`)
  const files = (content: string, more: Files = {}, said = ''): Files => ({
    'services/s/files/srv/app/conf': content,
    'services/s/files/srv/app/program': { executable: content },
    ...(said === '' ? {} : { 'services/s/service.yaml': said }),
    ...more,
  })
  const conf = '/srv/app/conf'
  const program = '/srv/app/program'

  async function given(): Promise<void> {
    await sh(`setfacl -m u:nobody:r--,g:adm:rw- ${conf} && chmod 0644 ${conf}`)
    await sh(`setfattr -n user.note -v 'of a person' ${conf} && setcap cap_net_bind_service=ep ${program}`)
  }

  test('a changed content keeps them all, with the mode of the repository as the mask', async () => {
    expect((await fleet.apply(files('one\n'))).failures).toEqual([])
    await given()
    const before = await acl(conf)
    expect(before).toContain('user:nobody:r--')
    expect((await fleet.apply(files('two\n'))).failures).toEqual([])
    expect(await sh(`cat ${conf}`)).toBe('two\n')
    expect(await acl(conf)).toBe(before)
    expect(await note(conf)).toBe('of a person')
    expect(await sh(`getcap ${program}`)).toContain('cap_net_bind_service=ep')
    expect(await fleet.drift(files('two\n'))).toEqual([])

    const closed = 'files: { /srv/app/conf: { mode: "0600" } }\n'
    expect((await fleet.apply(files('three\n', {}, closed))).failures).toEqual([])
    expect(await acl(conf)).toContain('mask::---')
    expect(await sh(`stat -c %a ${conf}`)).toBe('600\n')
  })

  test('a mode or owner that is put back keeps capabilities', async () => {
    await fleet.apply(files('one\n'))
    await given()
    await sh(`chmod 0700 ${program}`)
    await fleet.apply(files('one\n'), 'everything')
    expect(await sh(`stat -c %a ${program}; getcap ${program}`)).toBe(`755\n${program} cap_net_bind_service=ep\n`)
    const owned = 'files: { /srv/app/program: { owner: nobody } }\n'
    expect((await fleet.apply(files('one\n', {}, owned))).failures).toEqual([])
    expect(await sh(`stat -c %U ${program}; getcap ${program}`)).toBe(`nobody\n${program} cap_net_bind_service=ep\n`)
  })

  test('an ACL of the repository counts, and none that a directory gives to new files is added to a former one', async () => {
    await fleet.apply(files('one\n'))
    await given()
    const said = 'files: { /srv/app/conf: { acl: ["user:daemon:r--"] } }\n'
    expect((await fleet.apply(files('two\n', {}, said))).failures).toEqual([])
    expect(await acl(conf)).toContain('user:daemon:r--')
    expect(await acl(conf)).not.toContain('nobody')
    expect(await note(conf)).toBe('of a person')
    expect((await fleet.apply(files('three\n', {}, 'files: { /srv/app/conf: { acl: [] } }\n'))).failures).toEqual([])
    expect(await acl(conf)).not.toContain('daemon')

    await sh('setfacl -m d:u:nobody:rx /srv/app')
    expect((await fleet.apply(files('four\n'))).failures).toEqual([])
    expect(await acl(conf)).not.toContain('nobody')
    await sh('setfacl -k /srv/app')
  })

  test('an apply that fails leaves the very files that were there, and a directory keeps its ACL', async () => {
    await fleet.apply(files('one\n'))
    await given()
    await sh('setfacl -m u:nobody:rx,d:u:nobody:rx /srv/app')
    const [before, was] = [await acl(conf), await inode(conf)]
    const failing = files(
      'two\n',
      {},
      'directories: { /srv/app: { mode: "0750" } }\nchecks: [{ unit: nowhere.service }]\n',
    )
    expect((await fleet.apply(failing)).failures).toMatchObject([{ step: 'check unit nowhere.service' }])
    expect(await inode(conf)).toBe(was)
    expect(await acl(conf)).toBe(before)
    expect(await note(conf)).toBe('of a person')
    expect(await sh(`getcap ${program}`)).toContain('cap_net_bind_service=ep')
    expect(await acl('/srv/app')).toContain('default:user:nobody:r-x')
    expect((await fleet.apply(files('two\n', {}, 'directories: { /srv/app: { mode: "0750" } }\n'))).failures).toEqual(
      [],
    )
    expect(await acl('/srv/app')).toContain('user:nobody:r-x')
    await sh('setfacl -b -k /srv/app')
  })

  test('an ACL that cannot be kept fails the apply instead of being lost', async () => {
    await fleet.apply(files('one\n'))
    await given()
    await sh('mv /usr/bin/getfacl /usr/bin/getfacl.away')
    try {
      const { failures } = await fleet.apply(files('four\n'))
      expect(failures).toMatchObject([
        {
          problem: { code: 'apply-failed', where: { file: conf }, remedy: expect.stringContaining('packages: [acl]') },
        },
      ])
      expect(await sh(`cat ${conf}`)).not.toContain('four')
      // Without the tool, a file without an ACL is no matter.
      await sh(`setfacl -b ${conf} && chmod 0644 ${conf}`)
      expect((await fleet.apply(files('four\n'))).failures).toEqual([])
    } finally {
      await sh('mv /usr/bin/getfacl.away /usr/bin/getfacl')
    }
  })
})
