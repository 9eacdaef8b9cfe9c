// The addresses of the pages, made in one place.

export function hostLink(host: string): string {
  return `/hosts/${encoded(host)}`
}

export function hostServiceLink(host: string, service: string): string {
  return `${hostLink(host)}#${serviceAnchor(service)}`
}

export function serviceAnchor(service: string): string {
  return `service-${encoded(service)}`
}

export function serviceLink(service: string): string {
  return `/services/${encoded(service)}`
}

export function driftLink(host: string, resource: string): string {
  return `${hostLink(host)}/drift?resource=${encoded(resource)}`
}

/** The page has it in any case, also beyond the first ones that it shows. */
export function alertLink(id: number): string {
  return `/alerts?alert=${id}#alert-${id}`
}

/** A path on a host or in the repository; with a host, what happened to it there. */
export function whyLink(path: string, host?: string): string {
  return `/why?path=${encoded(path)}${host === undefined ? '' : `&host=${encoded(host)}`}`
}

export function enrollLink(host: string): string {
  return `/enroll?host=${encoded(host)}`
}

/** For one host, or wherever it holds. */
export function releaseLink(host: string | undefined): string {
  return host === undefined ? '/holds/release' : `${hostLink(host)}/release`
}

/** Leads back to a page of this site. */
export function loginLink(next: string | undefined): string {
  return next === undefined || next === '/' ? '/login' : `/login?next=${encoded(next)}`
}

/** What is no text throws in encodeURIComponent, and a page must not fail over one name of it. */
export function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
