// Content hashes by path and stat: a check of a host on which nothing moved reads no file.
import { z } from 'zod'
import { sha256Schema } from '../../shared/names.ts'
import type { FileStat, HashMemory } from '../host/files.ts'
import { isSettled } from '../host/stat-cache.ts'
import { remembered } from './remembered.ts'

export type HashStore = HashMemory & { save(): void }

export function hashStore(path: string): HashStore {
  const entries = remembered(path, z.tuple([z.string(), sha256Schema]))
  const get: HashMemory['get'] = (file, stat) => {
    const [signature, sha256] = entries.get(file) ?? []
    return signature === signatureOf(stat) ? sha256 : undefined
  }
  return {
    get,
    set: (file, stat, sha256, startedAt) => {
      if (!isSettled(stat.changedMs, startedAt)) entries.delete(file)
      // A full check finds again what is known: then nothing has to be written.
      else if (get(file, stat) !== sha256) entries.set(file, [signatureOf(stat), sha256])
    },
    save: () => entries.save(),
  }
}

function signatureOf({ device, inode, size, modifiedMs, changedMs }: FileStat): string {
  return `${device}:${inode}:${size}:${modifiedMs}:${changedMs}`
}
