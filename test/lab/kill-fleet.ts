// Two revisions for a real host between which every kind of resource changes, is new, or leaves; and what a person sees there of
// each service: its lines are equal when it is.
import { absolutePathSchema, resourceId } from '../../shared/names.ts'
import type { DesiredHost, DesiredService, PackageResource, Resource, UnitResource } from '../../shared/resource.ts'
import { desiredHost, directory, file, service, sha, symlink } from '../agent/apply/world.ts'

export type KillRevision = 1 | 2

/** A few seconds to apply. */
export function killFleet(revision: KillRevision): DesiredHost {
  const passing = revision === 1 ? gone() : fresh()
  return desiredHost([base(revision), web(revision), app(revision), passing], String(revision))
}

/** Prints a line for each thing, after the name of its service. */
export const seenScript = `
paths() { name=$1; shift; find "$@" -printf "$name %p %y %m %u:%g %l\\n" 2> /dev/null
  find "$@" -type f -exec sha256sum {} + 2> /dev/null | sed "s/^/$name /"; }
unit() { echo "$1 $2 $(systemctl is-enabled $2 2>&1) $(systemctl is-active $2)"; }
containers() { docker ps --all --filter label=com.docker.compose.project=$1 --format "$1 {{.Names}} {{.Image}} {{.State}}"; }
{
  paths base /etc/kill-base /srv/kill-base /etc/sysusers.d/kill-base.conf /run/kill-base
  getent passwd kill-base-1 kill-base-2 > /dev/null && echo "host has users"
  paths web /etc/kill-web /etc/systemd/system/kill-web.service /run/kill-web
  unit web kill-web.service
  unit web apt-daily.timer
  dpkg-query --show --showformat='web \${Package} \${Version} \${db:Status-Want} \${db:Status-Status}\\n' plumb-a
  paths app /srv/compose/app
  containers app
  paths gone /etc/kill-gone /etc/systemd/system/kill-gone.service
  unit gone kill-gone.service
  paths fresh /etc/kill-fresh /srv/kill-fresh
  find / -xdev -name '.plumb-*' -printf 'left %p\\n'
  ls /var/lib/plumb/journal 2> /dev/null | sed 's/^/left /'
} | LC_ALL=C sort
`

/** A package in two versions, from a repository on the host itself. */
export const packagesScript = `
set -e
mkdir -p /srv/repo
cd /srv/repo
for version in 1.0 2.0; do
  d=$(mktemp -d)
  chmod 755 $d
  mkdir -p $d/DEBIAN $d/usr/share/plumb-a
  echo $version > $d/usr/share/plumb-a/version
  printf 'Package: plumb-a\\nVersion: %s\\nArchitecture: all\\nMaintainer: Lab <lab@example.org>\\nDescription: lab\\n' $version > $d/DEBIAN/control
  dpkg-deb --root-owner-group --build $d . > /dev/null
  rm -r $d
done
for deb in *.deb; do
  dpkg-deb --field $deb
  echo "Filename: ./$deb"
  echo "Size: $(stat -c %s $deb)"
  echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"
  echo
done > Packages
rm -f /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/repo ./' > /etc/apt/sources.list.d/lab.list
apt-get -q update
`

function base(revision: KillRevision): DesiredService {
  const main = file('/etc/kill-base/main.conf', `revision ${revision}\n`, { validate: 'grep -q revision {}' })
  const isNew = revision === 2
  return service(
    'base',
    [
      main,
      file('/etc/kill-base/same', 'the same in both'),
      file('/etc/kill-base/mode', 'mode only', { mode: isNew ? 0o640 : 0o644 }),
      file(`/etc/kill-base/only-${revision}`, `${revision}`),
      file('/etc/sysusers.d/kill-base.conf', `u kill-base-${revision} -\n`),
      symlink('/etc/kill-base/link', `only-${revision}`),
      directory('/srv/kill-base', { purge: true, keep: ['kept'] }),
      file('/srv/kill-base/kept', `${revision}`),
    ],
    {
      validate: [`grep -q 'revision ${revision}' /etc/kill-base/main.conf`],
      triggers: [{ on: [main.id], action: { kind: 'run', command: 'cp /etc/kill-base/main.conf /run/kill-base' } }],
      checks: [{ kind: 'run', command: 'cmp /etc/kill-base/main.conf /run/kill-base' }],
    },
  )
}

function web(revision: KillRevision): DesiredService {
  const isNew = revision === 2
  const config = file('/etc/kill-web/web.conf', `config of ${revision}\n`)
  const main = unitFile('kill-web.service', `config of ${revision}`)
  const timer: Resource = isNew
    ? { kind: 'unit', id: resourceId('unit', 'apt-daily.timer'), name: 'apt-daily.timer', masked: true }
    : unit('apt-daily.timer')
  return service('web', [packageAt(`${revision}.*`, isNew), config, main, unit('kill-web.service', main.id), timer], {
    after: [service('base', []).name],
    triggers: [
      { on: [config.id], action: { kind: 'reload', unit: 'kill-web.service' } },
      { on: [main.id], action: { kind: 'restart', unit: 'kill-web.service' } },
    ],
    checks: [{ kind: 'unit', unit: 'kill-web.service' }],
  })
}

function app(revision: KillRevision): DesiredService {
  const home = '/srv/compose/app'
  const conf = file(`${home}/app.conf`, `app of ${revision}\n`)
  const volumes = ['./app.conf:/etc/app.conf:ro']
  const box = {
    image: `localhost/box:${revision}`,
    command: ['sleep', '9999'],
    init: true,
    stop_grace_period: '1s',
    volumes,
  }
  const declared = file(`${home}/compose.yaml`, `${JSON.stringify({ services: { box } })}\n`)
  const files = [conf, declared].map(({ path, sha256 }) => ({ path, sha256 }))
  return service(
    'app',
    [
      ...[conf, declared],
      {
        kind: 'compose',
        id: resourceId('compose', 'app'),
        project: 'app',
        directory: absolutePathSchema.parse(home),
        file: declared.path,
        sha256: sha(JSON.stringify(files)),
        files,
        registries: [],
        allowMounts: [],
        allow: [],
        moveMounts: [],
        state: 'running',
      },
    ],
    { after: [service('web', []).name] },
  )
}

function gone(): DesiredService {
  const main = unitFile('kill-gone.service', 'leaves')
  return service('gone', [main, unit('kill-gone.service', main.id), file('/etc/kill-gone/gone.conf', 'leaves')])
}

function fresh(): DesiredService {
  return service('fresh', [file('/etc/kill-fresh/new/below/it.conf', 'new'), directory('/srv/kill-fresh')])
}

/** It has read its configuration when that is in /run. */
function unitFile(name: string, description: string) {
  const configuration = '/bin/sh -c "cp /etc/kill-web/web.conf /run/kill-web || true"'
  const text = `[Unit]
Description=${description}
[Service]
ExecStartPre=${configuration}
ExecStart=/bin/sleep infinity
ExecReload=${configuration}
[Install]
WantedBy=multi-user.target
`
  return file(
    `/etc/systemd/system/${name}`,
    name === 'kill-gone.service' ? text.replace(/^Exec(?:StartPre|Reload).*\n/gm, '') : text,
  )
}

function unit(name: string, of?: UnitResource['file']): UnitResource {
  const own = of === undefined ? {} : { file: of }
  return { kind: 'unit', id: resourceId('unit', name), name, enabled: true, state: 'running', ...own }
}

function packageAt(version: string, hold: boolean): PackageResource {
  return { kind: 'package', id: resourceId('package', 'plumb-a'), name: 'plumb-a', version, hold }
}
