// Writes one of plumb's own files (configuration, certificate, unit) with the same safe steps that an apply takes.
import type { AbsolutePath } from '../../shared/names.ts'
import type { FileWriter } from '../host/files.ts'

export type OwnFile = { readonly path: AbsolutePath; readonly text: string; readonly mode: number }

/** On disk when it resolves. */
export async function placeFile(files: FileWriter, { path, text, mode }: OwnFile): Promise<void> {
  await files.pass(async () => {
    await files.stage(path, Buffer.from(text), { mode })
    files.publish(path)
    await files.syncDirectories()
    await files.forget(path)
  })
}
