// Content hashes by path and stat, so that a check of an unchanged host reads no file.
import { z } from 'zod'
import { type Sha256, sha256Schema } from '../../shared/names.ts'
import type { FileStat, HashMemory } from '../host/files.ts'
import { isSettled } from '../host/stat-cache.ts'
import { remembered } from './remembered.ts'

export type HashStore = Required<HashMemory> & { save(): void }

export function hashStore(path: string): HashStore {
  const entries = remembered(path, entrySchema)
  const get: HashStore['get'] = (file, stat) => {
    const entry = entries.get(file)
    const signature = signatureOf(stat)
    return entry?.startsWith(signature) === true ? sha256In(entry, signature) : undefined
  }
  return {
    get,
    set: (file, stat, sha256, startedAt) => {
      if (!isSettled(stat.changedMs, startedAt)) entries.delete(file)
      // A full check usually confirms known hashes: then nothing is written.
      else if (get(file, stat) !== sha256) entries.set(file, signatureOf(stat) + sha256)
    },
    save: () => entries.save(),
  }
}

/** Stat and digest in one string, because it is held for every file and two strings take twice the memory. */
const entrySchema = z
  .string()
  .max(300)
  .regex(/:[0-9a-f]{64}$/)

function sha256In(entry: string, signature: string): Sha256 {
  return sha256Schema.parse(entry.slice(signature.length))
}

function signatureOf({ device, inode, size, modifiedMs, changedMs }: FileStat): string {
  return `${device}:${inode}:${size}:${modifiedMs}:${changedMs}:`
}
