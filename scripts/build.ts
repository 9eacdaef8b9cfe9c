// `npm run build`: the agent as build/plumb.cjs, and as one executable per architecture that needs nothing on the host.
//   build/plumb-linux-x64   build/plumb-linux-x64.gz   build/artifacts.json
// `--bundle-only` stops after the bundle. Nothing is made again when nothing changed.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { createGzip } from 'node:zlib'
import { z } from 'zod'
import { bundleOf } from './build-bundle.ts'
import { type Architecture, buildExecutable, type Runtime, runtimeFlags, runtimeFor } from './build-executable.ts'

const root = resolve(import.meta.dirname, '..')
const architectures: readonly Architecture[] = ['x64', 'arm64']

const artifactsSchema = z.object({
  version: z.string(),
  /** SHA-256 over everything the artifacts are made of. */
  inputs: z.string(),
  artifacts: z.array(
    z.object({
      platform: z.string(),
      file: z.string(),
      size: z.number(),
      sha256: z.string(),
      gzSha256: z.string(),
    }),
  ),
})
type Artifacts = z.infer<typeof artifactsSchema>
type Artifact = Artifacts['artifacts'][number]

const { values } = parseArgs({
  options: {
    'bundle-only': { type: 'boolean', default: false },
    entry: { type: 'string', default: join(root, 'agent/main.ts') },
    out: { type: 'string', default: join(root, 'build') },
  },
})
const out = resolve(values.out)
await mkdir(out, { recursive: true })
const work = await mkdtemp(join(out, '.work-'))
try {
  const bundle = await writeBundle(values.entry)
  if (!values['bundle-only']) await buildArtifacts(bundle)
} finally {
  await rm(work, { recursive: true, force: true })
}

async function writeBundle(entry: string): Promise<Buffer> {
  const started = new Date()
  const bundle = await bundleOf(entry)
  await writeFile(join(work, 'plumb.cjs'), bundle)
  // As old as what was read: scripts/plumb takes what was changed meanwhile for newer.
  await utimes(join(work, 'plumb.cjs'), started, started)
  await rename(join(work, 'plumb.cjs'), join(out, 'plumb.cjs'))
  return bundle
}

async function buildArtifacts(bundle: Buffer): Promise<void> {
  const runtimes = architectures.flatMap((architecture) => runtimeFor(architecture, root) ?? [])
  for (const architecture of architectures)
    if (!runtimes.some((runtime) => runtime.architecture === architecture))
      console.log(
        `build: linux-${architecture} is left out: the npm package node-linux-${architecture} is not installed`,
      )
  const inputs = await inputsOf(bundle, runtimes)
  if (await isUpToDate(inputs)) {
    console.log('build: nothing changed')
    return
  }
  const artifacts: Artifact[] = []
  for (const runtime of runtimes) artifacts.push(await buildArtifact(runtime))
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
  const made: Artifacts = { version, inputs, artifacts }
  // Last, so that a build that was killed is not taken for a finished one.
  await writeFile(join(work, 'artifacts.json'), `${JSON.stringify(made, null, 2)}\n`)
  await rename(join(work, 'artifacts.json'), join(out, 'artifacts.json'))
}

async function inputsOf(bundle: Buffer, runtimes: readonly Runtime[]): Promise<string> {
  const hash = createHash('sha256').update(bundle).update(process.version).update(runtimeFlags.join(' '))
  for (const { architecture, executable } of runtimes) hash.update(`${architecture} ${(await stat(executable)).size} `)
  for (const script of ['build.ts', 'build-executable.ts', 'build-libatomic.ts'])
    hash.update(await readFile(join(root, 'scripts', script)))
  return hash.digest('hex')
}

async function isUpToDate(inputs: string): Promise<boolean> {
  const known = await readFile(join(out, 'artifacts.json'), 'utf8')
    .then((text) => artifactsSchema.safeParse(JSON.parse(text)))
    .catch(() => ({ success: false as const }))
  if (!known.success || known.data.inputs !== inputs) return false
  const sizes = known.data.artifacts.map(async ({ file, size }) => {
    const [executable, compressed] = await Promise.allSettled([stat(join(out, file)), stat(join(out, `${file}.gz`))])
    return executable.status === 'fulfilled' && executable.value.size === size && compressed.status === 'fulfilled'
  })
  return (await Promise.all(sizes)).every(Boolean)
}

async function buildArtifact(runtime: Runtime): Promise<Artifact> {
  const platform = `linux-${runtime.architecture}`
  const file = `plumb-${platform}`
  const output = join(work, file)
  buildExecutable(runtime, join(out, 'plumb.cjs'), { output, work })
  await pipeline(createReadStream(output), createGzip({ level: 6 }), createWriteStream(`${output}.gz`))
  const [{ size }, compressed] = [await stat(output), await stat(`${output}.gz`)]
  const artifact = { platform, file, size, sha256: await sha256Of(output), gzSha256: await sha256Of(`${output}.gz`) }
  await rename(output, join(out, file))
  await rename(`${output}.gz`, join(out, `${file}.gz`))
  console.log(`build: ${join(out, file)} (${megabytes(size)}; compressed ${megabytes(compressed.size)})`)
  return artifact
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
