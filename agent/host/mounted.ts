// Whether a mount unit has mounted already what its files name now: then a remount brings its other options, and
// nothing is unmounted.

import { type Command, type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { unitSettings } from '../../shared/repository/unit-settings.ts'
import { type Mount, mountsOf } from './mountinfo.ts'
import { firstLine, systemctl } from './systemd.ts'

/** False also when that is unknown: a remount changes the options of whatever is mounted, and never what that is. */
export async function hasMounted(unit: string, run: Run): Promise<boolean> {
  const wanted = wantedMount(await output(systemctl(['cat', '--', unit]), run))
  const mounted = mountAt(wanted.where, await output({ args: ['cat', '/proc/self/mountinfo'] }, run))
  if (mounted === undefined || wanted.what === '' || /%/.test(`${wanted.what}${wanted.type}`)) return false
  return isSame(wanted, mounted, run)
}

/** Of a bind mount, type and options are those of the file system that both places are in. */
export async function isSame(wanted: WantedMount, mounted: Mounted, run: Run): Promise<boolean> {
  if (isBind(wanted.options)) {
    const [from, to] = [await statOf(wanted.what, run), await statOf(wanted.where, run)]
    return from !== undefined && from.file === to?.file
  }
  return isSameType(wanted, mounted) && hasSameLayers(wanted, mounted) && (await isSameSource(wanted, mounted, run))
}

export type WantedMount = {
  readonly what: string
  readonly where: string
  /** Empty: found out by mount(8). */
  readonly type: string
  readonly options: ReadonlyMap<string, string>
}

/** Of a unit file followed by its drop-ins, as `systemctl cat` prints them. */
export function wantedMount(text: string): WantedMount {
  const settings = new Map(
    unitSettings(text)
      .filter(({ section }) => section === 'Mount')
      .map(({ key, value }) => [key, value.replace(/^(["'])(.*)\1$/, '$2')]),
  )
  const said = (key: string) => settings.get(key) ?? ''
  const type = said('Type') === 'auto' ? '' : said('Type')
  return { what: said('What'), where: withoutSlash(said('Where')), type, options: optionsIn(said('Options')) }
}

export type Mounted = Pick<Mount, 'device' | 'root' | 'type' | 'source'> & {
  readonly options: ReadonlyMap<string, string>
}

/** The topmost mount there. */
export function mountAt(where: string, mountinfo: string): Mounted | undefined {
  const mount = mountsOf(mountinfo).findLast(({ point }) => point === where)
  return mount && { ...mount, options: optionsIn(mount.options) }
}

/** mount(8) calls some by another name than the kernel. */
function isSameType({ type }: WantedMount, mounted: Mounted): boolean {
  return type === '' || familyOf(type) === familyOf(mounted.type)
}

function familyOf(type: string): string {
  return families[type] ?? type
}

const families: Readonly<Record<string, string>> = {
  nfs4: 'nfs',
  smb3: 'cifs',
  fuse: 'fuseblk',
  'ntfs-3g': 'fuseblk',
  ntfs: 'fuseblk',
}

/** Options that say which data is mounted, and not how. */
function hasSameLayers({ options }: WantedMount, mounted: Mounted): boolean {
  const isSame = (key: string) => (options.get(key) ?? '') === (mounted.options.get(key) ?? '')
  if (mounted.type === 'overlay') return ['lowerdir', 'upperdir', 'workdir'].every(isSame)
  const volume = options.get('subvol')
  if (volume !== undefined) return `/${volume.replace(/^\/+/, '')}` === mounted.root
  if (options.has('subvolid')) return isSame('subvolid')
  return mounted.type !== 'btrfs' || mounted.root === '/'
}

async function isSameSource({ what, type }: WantedMount, mounted: Mounted, run: Run): Promise<boolean> {
  // What these call their source is a name for people.
  if (type !== '' && ['tmpfs', 'ramfs', 'overlay'].includes(mounted.type)) return true
  if (what === mounted.source) return true
  const path = deviceOf(what)
  if (!path.startsWith('/') || path.startsWith('//')) return false
  if ((await statOf(path, run))?.special === mounted.device) return true
  const real = await realPath(path, run)
  return real !== undefined && (real === mounted.source || real === (await imageOf(mounted.source, run)))
}

function isBind(options: ReadonlyMap<string, string>): boolean {
  return options.has('bind') || options.has('rbind')
}

/** `UUID=...` as the link that udev makes for it. */
function deviceOf(what: string): string {
  const [, tag = '', value = ''] = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)$/.exec(what) ?? []
  return tag === '' ? withoutSlash(what) : `/dev/disk/by-${tag.toLowerCase()}/${value.replace(/^"(.*)"$/, '$1')}`
}

type Stat = {
  /** Device and inode. */
  readonly file: string
  /** `8:1` of a device, in decimal. */
  readonly special: string
}

async function statOf(path: string, run: Run): Promise<Stat | undefined> {
  const { code, stdout } = await run({ args: ['stat', '-L', '-c', '%d:%i %t %T', '--', path] })
  const [file = '', major = '', minor = ''] = stdout.trim().split(' ')
  return code === 0 ? { file, special: `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}` } : undefined
}

async function realPath(path: string, run: Run): Promise<string | undefined> {
  const { code, stdout } = await run({ args: ['realpath', '--', path] })
  return code === 0 ? stdout.trim() : undefined
}

/** The file behind a loop device. */
async function imageOf(source: string, run: Run): Promise<string | undefined> {
  const [, name] = /^\/dev\/(loop\d+)$/.exec(source) ?? []
  if (name === undefined) return undefined
  const { code, stdout } = await run({ args: ['cat', `/sys/block/${name}/loop/backing_file`] })
  return code === 0 ? stdout.trim() : undefined
}

function optionsIn(text: string): ReadonlyMap<string, string> {
  const options = text.split(',').filter((option) => option !== '')
  return new Map(
    options.map((option) => {
      const at = option.indexOf('=')
      return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)]
    }),
  )
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path
}

async function output(command: Command, run: Run): Promise<string> {
  const result = await run(command)
  if (result.code === 0) return result.stdout
  throw new PlumbError({
    code: 'apply-failed',
    message: `mounts cannot be listed: ${whyText(command, result, firstLine(result))}.`,
  })
}
