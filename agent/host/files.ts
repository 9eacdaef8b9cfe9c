// Safe file access below a root: no component is followed through a link that an unprivileged user could have placed.

export type FileReader = Record<string, never>
export type FileWriter = Record<string, never>
