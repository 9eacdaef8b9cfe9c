// What is done about drift: told to a person, put back at once, or left as it is for a reason.

export type DriftPolicy = 'alert' | 'repair' | Ignored

/** The reason stands beside what is ignored wherever that is shown. */
export type Ignored = { readonly ignore: string }

/** A resource's own policy goes before its service's. */
export function policyOf(
  service: { readonly onDrift: DriftPolicy } | undefined,
  resource: { readonly onDrift?: DriftPolicy } | undefined,
): DriftPolicy {
  return resource?.onDrift ?? service?.onDrift ?? 'alert'
}

/** Undefined when it is not ignored. */
export function reasonToIgnore(policy: DriftPolicy): string | undefined {
  return typeof policy === 'string' ? undefined : policy.ignore
}
