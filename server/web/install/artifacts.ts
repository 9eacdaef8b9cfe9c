// The agent's executables as `npm run build` leaves them: which platforms there are, and the SHA-256 of each.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

export type Artifact = {
  /** `linux-x64` */
  readonly platform: string
  readonly file: string
  readonly size: number
  /** Of the compressed file. */
  readonly sha256: string
}

export type Artifacts = { list(): Promise<readonly Artifact[]> }

const artifactName = /^(?:plumb-)?(linux-(?:x64|arm64))\.gz$/

/** Looks again each time, so that a build needs no restart; hashes again only what changed. */
export function createArtifacts(directory: string): Artifacts {
  const hashes = new Map<string, { readonly signature: string; readonly sha256: string }>()
  return {
    async list() {
      const names = await readdir(directory).catch(() => [])
      const found = names.sort().flatMap((name) => {
        const platform = artifactName.exec(name)?.[1]
        return platform === undefined ? [] : [{ platform, file: join(directory, name) }]
      })
      return Promise.all(found.map(({ platform, file }) => describe(platform, file)))
    },
  }

  async function describe(platform: string, file: string): Promise<Artifact> {
    const { size, mtimeMs } = await stat(file)
    const signature = `${size} ${mtimeMs}`
    const known = hashes.get(file)
    const sha256 = known?.signature === signature ? known.sha256 : await sha256Of(file)
    hashes.set(file, { signature, sha256 })
    return { platform, file, size, sha256 }
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}
