// /proc/self/mountinfo, line by line (proc_pid_mountinfo(5)).

export type Mount = {
  readonly id: string
  readonly parent: string
  /** Of the file system, `major:minor` in decimal. */
  readonly device: string
  /** The directory, file or subvolume of that file system that is mounted. */
  readonly root: string
  /** Where. */
  readonly point: string
  readonly type: string
  readonly source: string
  /** Of the file system, not of the mount: `rw,subvolid=256`. */
  readonly options: string
}

/** In the order in which they were made. Mounts without a path, such as those of network namespaces, are left out. */
export function mountsOf(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ')
    const [id = '', parent = '', device = '', root = '', point] = fields
    const end = fields.indexOf('-')
    if (point === undefined || end < 0 || !root.startsWith('/')) return []
    const [type = '', source = '', options = ''] = fields.slice(end + 1).map(unescaped)
    return [{ id, parent, device, root: unescaped(root), point: unescaped(point), type, source, options }]
  })
}

/** Bytes in octal: a blank is `\040`. */
function unescaped(field: string): string {
  return field.replace(/(?:\\[0-7]{3})+/g, (escapes) =>
    Buffer.from(
      escapes
        .split('\\')
        .slice(1)
        .map((octal) => Number.parseInt(octal, 8)),
    ).toString('utf8'),
  )
}
