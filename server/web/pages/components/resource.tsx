// A resource by its name; its kind only where the name does not already tell it.
import { visibleText } from '../visible-text.ts'
import { whyLink } from './links.ts'

export function ResourceName({ resource }: { readonly resource: string }) {
  const { kind, name } = resourceParts(resource)
  return (
    <>
      {kind !== 'file' && <span class="kind">{kind} </span>}
      <code>{visibleText(name)}</code>
    </>
  )
}

type WhyAnchorProps = { readonly source: string | undefined; readonly host?: string }

/** To the commits behind a repository file, and what happened to it on the host. */
export function WhyAnchor({ source, host }: WhyAnchorProps) {
  if (source === undefined) return null
  return (
    <a class="ask-why" href={whyLink(source, host)} title={visibleText(source)}>
      why
    </a>
  )
}

/** `file:/etc/motd` is the file `/etc/motd`. */
export function resourceParts(resource: string): { readonly kind: string; readonly name: string } {
  const colon = resource.indexOf(':')
  return colon < 0
    ? { kind: 'resource', name: resource }
    : { kind: resource.slice(0, colon), name: resource.slice(colon + 1) }
}
