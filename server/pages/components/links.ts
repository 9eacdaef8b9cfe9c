// The addresses of the pages, made in one place.

export function hostLink(host: string): string {
  return `/hosts/${encodeURIComponent(host)}`
}

export function hostServiceLink(host: string, service: string): string {
  return `${hostLink(host)}#${serviceAnchor(service)}`
}

export function serviceAnchor(service: string): string {
  return `service-${encodeURIComponent(service)}`
}

export function serviceLink(service: string): string {
  return `/services/${encodeURIComponent(service)}`
}

export function driftLink(host: string, resource: string): string {
  return `${hostLink(host)}/drift?resource=${encodeURIComponent(resource)}`
}

/** A path on a host or in the repository; with a host, what happened to it there. */
export function whyLink(path: string, host?: string): string {
  return `/why?path=${encodeURIComponent(path)}${host === undefined ? '' : `&host=${encodeURIComponent(host)}`}`
}

export function enrolLink(host: string): string {
  return `/enrol?host=${encodeURIComponent(host)}`
}

/** For one host, or wherever it holds. */
export function releaseLink(host: string | undefined): string {
  return host === undefined ? '/holds/release' : `${hostLink(host)}/release`
}
