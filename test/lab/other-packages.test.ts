// dnf 4 and pacman themselves, from Debian's packages, each with a repository of trivial packages: hosts of their own
// kind cannot be made here, but what the providers run and read is the real thing.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { correlated } from '../../agent/evidence/correlate.ts'
import { surroundingsOf } from '../../agent/evidence/surroundings.ts'
import { dnf } from '../../agent/host/packages/dnf.ts'
import { pacman } from '../../agent/host/packages/pacman.ts'
import { maskFor } from '../../agent/plan/mask.ts'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { PackageAction } from '../../shared/evidence.ts'
import { absolutePathSchema, resourceId } from '../../shared/names.ts'
import { type KindHost, kindHost } from './kind-host.ts'

describe.skipIf(labUnavailable() !== null)('on a booted Debian 12', () => {
  let lab: Lab
  let booted: LabHost
  let host: KindHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    booted = await lab.host('other-packages', 'bookworm')
    host = kindHost(booted)
    await install(host, tools)
  })
  afterAll(() => lab?.close())

  test('dnf: the newest version that matches, up and down, in one transaction, and locked', async () => {
    await host.write('/root/rpms.sh', buildRpms)
    await host.output('sh', '/root/rpms.sh')
    const states = () => dnf.states(['plumb-a', 'plumb-b', 'plumb-virtual'], host.query, { holds: true })
    expect([...(await states()).values()]).toEqual(Array(3).fill({ installed: 'no', held: false }))

    const first = await dnf.install([{ name: 'plumb-a', version: '1.*' }, { name: 'plumb-c' }], host.run)
    expect(first.added).toEqual(
      new Map([
        ['plumb-a', '1.10-1.lab'],
        ['plumb-b', '1:2.0-1.lab'],
        ['plumb-c', '1.0-1.lab'],
      ]),
    )
    await dnf.hold(['plumb-a', 'plumb-b'], host.run)
    expect(await states()).toEqual(
      new Map([
        ['plumb-a', { installed: 'yes', version: '1.10-1.lab', held: true }],
        ['plumb-b', { installed: 'yes', version: '1:2.0-1.lab', held: true }],
        ['plumb-virtual', { installed: 'yes', held: false }],
      ]),
    )
    const both = [
      { name: 'plumb-a', version: '2.0-*' },
      { name: 'plumb-b', version: '1:1.1-1.lab' },
    ]
    await expect(dnf.install(both, host.run)).rejects.toThrow(/plumb-a=2\.0-\*, plumb-b=1:1\.1-1\.lab not installed/)
    await dnf.unhold(['plumb-a', 'plumb-b'], host.run)
    expect((await dnf.install(both, host.run)).changed).toEqual(
      new Map([
        ['plumb-a', { from: '1.10-1.lab', to: '2.0-1.lab' }],
        ['plumb-b', { from: '1:2.0-1.lab', to: '1:1.1-1.lab' }],
      ]),
    )
    for (const [older, newer] of [
      ['1.10-1.lab', '2.0-1.lab'],
      ['1.2-1', '1.10-1'],
      ['9.0-1', '1:1.0-1'],
    ] as const) {
      expect(await dnf.isOlder(older, newer, host.query)).toBe(true)
      expect(await dnf.isOlder(newer, older, host.query)).toBe(false)
    }
    expect((await states()).get('plumb-a')?.held).toBe(false)
    await expect(dnf.install([{ name: 'plumb-a', version: '3.*' }], host.run)).rejects.toThrow(
      /plumb-a has no version 3\.\* to install: there is .*1\.10-1\.lab/,
    )
    await expect(dnf.install([{ name: 'plumb-nope' }], host.run)).rejects.toThrow(/Unable to find a match: plumb-nope/)
  })

  test('pacman: what the repository has, and an older version from the cache', async () => {
    await host.write('/root/pacman.sh', buildPacman)
    await host.output('bash', '/root/pacman.sh')
    const states = () => pacman.states(['plumb-p', 'plumb-q', 'plumb-virtual'], host.query, { holds: true })
    expect([...(await states()).values()]).toEqual(Array(3).fill({ installed: 'no', held: false }))

    const first = await pacman.install([{ name: 'plumb-p', version: '1.0-*' }, { name: 'plumb-r' }], host.run)
    expect(first.added).toEqual(
      new Map([
        ['plumb-p', '1.0-1'],
        ['plumb-q', '1:2.0-1'],
        ['plumb-r', '1.0-1'],
      ]),
    )
    await host.output('bash', '/root/pacman.sh', '1.1')
    const up = await pacman.install([{ name: 'plumb-p', version: '1.*' }], host.run)
    expect(up.changed).toEqual(new Map([['plumb-p', { from: '1.0-1', to: '1.1-1' }]]))
    const down = await pacman.install([{ name: 'plumb-p', version: '1.0-1' }], host.run)
    expect(down.changed).toEqual(new Map([['plumb-p', { from: '1.1-1', to: '1.0-1' }]]))

    await host.output('sed', '-i', 's/^Architecture.*/&\\nIgnorePkg = plumb-q*/', '/etc/pacman.conf')
    expect(await states()).toEqual(
      new Map([
        ['plumb-p', { installed: 'yes', version: '1.0-1', held: false }],
        ['plumb-q', { installed: 'yes', version: '1:2.0-1', held: true }],
        ['plumb-virtual', { installed: 'yes', held: false }],
      ]),
    )
    await expect(pacman.install([{ name: 'plumb-p', version: '3.*' }], host.run)).rejects.toThrow(
      'plumb-p has no version 3.* to install: there is 1.1-1, 1.0-1.',
    )
    await expect(pacman.install([{ name: 'plumb-nope' }], host.run)).rejects.toThrow(/target not found: plumb-nope/)
    await host.output('touch', '/var/lib/pacman/db.lck')
    await expect(pacman.install([{ name: 'plumb-p' }], host.run)).rejects.toThrow(/rm \/var\/lib\/pacman\/db\.lck/)
    await host.output('rm', '/var/lib/pacman/db.lck')
  })

  test('dnf: evidence of a file that it replaced names the package, both versions and the command', async () => {
    await asIfOnlyOf('/var/lib/dpkg/status', '/var/lib/pacman/local/ALPM_DB_VERSION')
    await host.output('dnf', '--assumeyes', 'downgrade', 'plumb-a-1.1')
    expect(await evidenceOf('/usr/share/plumb-a/version')).toEqual({
      package: 'plumb-a',
      action: 'downgrade',
      from: '2.0-1.lab',
      to: '1.1-1.lab',
      at: expect.stringMatching(/^20.*Z$/),
      commandLine: 'dnf --assumeyes downgrade plumb-a-1.1',
    })
    await host.output('rm', '/usr/share/plumb-a/version')
    await host.output('dnf', '--assumeyes', 'reinstall', 'plumb-a')
    await host.output('rm', '/usr/share/plumb-a/version')
    // Of what is gone since, too.
    expect(await evidenceOf('/usr/share/plumb-a/version')).toMatchObject({ package: 'plumb-a', action: 'reinstall' })
    await host.write('/etc/motd', 'nobody owns it\n')
    expect(await evidenceOf('/etc/motd')).toBeUndefined()
  })

  test('pacman: evidence of a file that it replaced names the package, both versions and the command', async () => {
    await asIfOnlyOf('/var/lib/dpkg/status')
    await host.output('pacman', '-S', '--noconfirm', 'plumb-p')
    expect(await evidenceOf('/usr/share/plumb-p/version')).toEqual({
      package: 'plumb-p',
      action: 'upgrade',
      from: '1.0-1',
      to: '1.1-1',
      at: expect.stringMatching(/^20.*Z$/),
      commandLine: 'pacman -S --noconfirm plumb-p',
    })
    await host.write('/etc/motd', 'nobody owns it\n')
    expect(await evidenceOf('/etc/motd')).toBeUndefined()
  })

  /** Of a change to the path just now, as a finding has it. */
  async function evidenceOf(name: string): Promise<PackageAction | undefined> {
    // Which package manager a host has is asked once.
    const fresh = kindHost(booted)
    const path = absolutePathSchema.parse(name)
    const now = Date.now()
    const at = fresh.files.stat(path)?.changedMs ?? now
    const found = { id: resourceId('file', path), path, at }
    const around = await surroundingsOf([found], { host: fresh, now, applies: [] })
    return correlated(found, around, { now, mask: maskFor([]) }).packageAction
  }

  /** A host has one package manager of its own: these traces of others are put aside. */
  async function asIfOnlyOf(...traces: readonly string[]): Promise<void> {
    for (const trace of traces) {
      await host.output('mv', trace, `${trace}.aside`)
      onTestFinished(async () => void (await host.output('mv', `${trace}.aside`, trace)))
    }
  }
})

const tools = [
  'dnf',
  'dnf-plugins-core',
  'rpm',
  'createrepo-c',
  'python3-systemd',
  'pacman-package-manager',
  'makepkg',
  'libarchive-tools',
  'zstd',
]

async function install(host: KindHost, names: readonly string[]): Promise<void> {
  const environment = { DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: readonly string[]) =>
    host.run({ args: ['apt-get', '-q', ...args], environment, deadlineSeconds: 600 })
  await apt('update')
  const { code, stderr } = await apt('install', '--yes', '--no-install-recommends', ...names)
  if (code !== 0) throw new Error(`${names.join(', ')} cannot be had: ${stderr}`)
}

const buildRpms = `
set -e
mkdir -p /srv/rpms /root/rpmbuild/SPECS /etc/yum.repos.d /etc/dnf/vars
make() {
cat > /root/rpmbuild/SPECS/x.spec <<END
Name: $1
Version: $2
Release: 1.lab
Epoch: $3
$4
Summary: lab
License: MIT
BuildArch: noarch
%description
lab
%install
mkdir -p %{buildroot}/usr/share/$1
echo $2 > %{buildroot}/usr/share/$1/version
%files
/usr/share/$1
END
rpmbuild -bb --quiet /root/rpmbuild/SPECS/x.spec > /dev/null
}
for version in 1.0 1.1 1.10 2.0; do
  make plumb-a $version 0 'Provides: plumb-virtual'
  make plumb-b $version 1
done
make plumb-c 1.0 0 'Requires: plumb-b'
cp /root/rpmbuild/RPMS/noarch/*.rpm /srv/rpms
createrepo_c -q /srv/rpms
# Debian's package turns a plugin on that looks for a repository which is not there.
sed -i 's/^enabled.*/enabled = false/' /etc/dnf/plugins/local.conf
echo 9 > /etc/dnf/vars/releasever
cat > /etc/yum.repos.d/lab.repo <<END
[lab]
name=lab
baseurl=file:///srv/rpms
enabled=1
gpgcheck=0
END
`

/** `pacman.sh [VERSION]`: the repository has plumb-p in that version. A package is an archive with a .PKGINFO. */
const buildPacman = `
set -e
mkdir -p /srv/pacman
cd /srv/pacman
make() {
  d=$(mktemp -d)
  mkdir -p $d/usr/share/$1
  echo $2 > $d/usr/share/$1/version
  printf 'pkgname = %s\\npkgbase = %s\\npkgver = %s\\npkgdesc = lab\\nbuilddate = 1\\npackager = lab\\nsize = 4\\narch = any\\n%s' $1 $1 $2 "$3" > $d/.PKGINFO
  (cd $d; bsdtar -czf /srv/pacman/$1-$2-any.pkg.tar.gz .PKGINFO usr)
  rm -r $d
}
make plumb-p \${1:-1.0}-1 'provides = plumb-virtual
'
make plumb-q 1:2.0-1
make plumb-r 1.0-1 'depend = plumb-q
'
rm -f lab.*
repo-add -q lab.db.tar.gz plumb-p-\${1:-1.0}-1-any.pkg.tar.gz plumb-q-*.pkg.tar.gz plumb-r-*.pkg.tar.gz > /dev/null
cat > /etc/pacman.conf <<END
[options]
Architecture = auto
SigLevel = Never
LocalFileSigLevel = Never
[lab]
Server = file:///srv/pacman
END
pacman -Syy > /dev/null
`
