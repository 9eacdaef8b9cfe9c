// What service.yaml says of a service's quadlets, and of a compose project in the same words: power over the host that containers may
// have, and data that they need not see any more.
import { z } from 'zod'
import { type AbsolutePath, absolutePathSchema } from '../names.ts'
import { allowanceExpected, allowancePattern } from './compose-power.ts'
import { text } from './scalars.ts'

export type QuadletSettings = {
  /** Paths of the host that are refused otherwise. */
  readonly allowMounts: readonly AbsolutePath[]
  /** Other power over the host that is refused otherwise: `privileged`, `cap:NET_ADMIN`. */
  readonly allow: readonly string[]
  /** Directories and volumes that containers have mounted and will not have mounted any more. */
  readonly moveMounts: readonly string[]
}

export const allowMountsSchema = z.array(absolutePathSchema).max(100).default([])
export const allowSchema = z.array(text(allowancePattern, allowanceExpected)).max(100).default([])
export const moveMountsSchema = z
  .array(text(/^[^\0]+$/, 'the path or volume that a container has mounted now', 4096))
  .max(100)
  .default([])
  .describe('Paths and volumes whose data containers see now, and need not see after the next apply.')

export const quadletsSchema = z.strictObject({
  allowMounts: allowMountsSchema.describe(
    'What quadlets mount of the host although it gives power over it: /run/podman/podman.sock, /proc.',
  ),
  allow: allowSchema.describe('Other power over the host that quadlets give: privileged, network-host, cap:NET_ADMIN.'),
  moveMounts: moveMountsSchema,
})
