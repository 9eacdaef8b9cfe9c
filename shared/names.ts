// The names things are known by, as strings that cannot be mixed up, and the schemas that admit them.
import { z } from 'zod'

type Brand<Name extends string> = string & { readonly [brand]: Name }
declare const brand: unique symbol

/** A commit of the repository: 40 lower-case hexadecimal digits. */
export type Revision = Brand<'Revision'>
/** A host as plumb.yaml names it: a DNS label sequence, at most 63 characters. */
export type HostName = Brand<'HostName'>
/** A directory under services/: letters, digits, `.`, `_`, `-`, not starting with a dot. */
export type ServiceName = Brand<'ServiceName'>
/** A normalised absolute path on a host: no `..`, no `.`, no empty component, no trailing slash. */
export type AbsolutePath = Brand<'AbsolutePath'>
/** `kind:name`, unique on a host: `file:/etc/motd`, `unit:nginx.service`, `package:nginx`, `compose:grafana`. */
export type ResourceId = Brand<'ResourceId'>
/** SHA-256 of content, 64 lower-case hexadecimal digits. */
export type Sha256 = Brand<'Sha256'>

export const revisionSchema = z
  .string()
  .regex(/^[0-9a-f]{40}$/, 'a commit id of 40 hexadecimal digits')
  .transform((text) => text as Revision)

export const hostNameSchema = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/,
    'a host name: lower-case letters, digits, dots and hyphens, at most 63 characters',
  )
  .transform((text) => text as HostName)

export const serviceNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a service name: letters, digits, dots, hyphens, underscores')
  .transform((text) => text as ServiceName)

const isWellFormed = (text: string) => text.isWellFormed()
/** A lone half of a UTF-16 pair is no character: no address and no file can have it. */
const notWellFormed = 'well-formed Unicode'

export const absolutePathSchema = z
  .string()
  .max(4096)
  .refine(isWellFormed, notWellFormed)
  .refine(isNormalAbsolutePath, 'an absolute path without `..`, `.` or a trailing slash')
  .transform((text) => text as AbsolutePath)

/** Of any kind: those of a newer agent are read as well. */
export const resourceIdSchema = z
  .string()
  .max(4200)
  .regex(/^[a-z][a-z-]{0,30}:[^\0]+$/, 'a resource: kind:name')
  .refine(isWellFormed, notWellFormed)
  .transform((text) => text as ResourceId)

/** Path of a file of the repository, as a host reports it. */
export const sourceSchema = z.string().max(4200).refine(isWellFormed, notWellFormed)

export const sha256Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'a SHA-256 of 64 hexadecimal digits')
  .transform((text) => text as Sha256)

/** The name of a secret or a variable: what may stand in `${{ secrets.NAME }}`. */
export const identifierSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/, 'a name: a letter, then letters, digits, `_` or `-`')

export function resourceId(kind: string, name: string): ResourceId {
  return `${kind}:${name}` as ResourceId
}

/** `unit:nginx.service` -> `{ kind: 'unit', name: 'nginx.service' }`. */
export function parseResourceId(id: string): { readonly kind: string; readonly name: string } {
  const colon = id.indexOf(':')
  return { kind: id.slice(0, colon), name: id.slice(colon + 1) }
}

/** `/etc//nginx/../x` is refused rather than resolved: a repository that says it means something else. */
export function isNormalAbsolutePath(path: string): boolean {
  if (!path.startsWith('/') || path.includes('\0')) return false
  if (path === '/') return true
  return path
    .slice(1)
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..')
}
