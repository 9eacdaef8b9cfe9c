// A resource by its name; its kind only where the name does not already tell it.
import { parseResourceId } from '../../../../shared/names.ts'
import { visibleText } from '../visible-text.ts'
import { whyLink } from './links.ts'

export function ResourceName({ resource }: { readonly resource: string }) {
  const { kind, name } = parseResourceId(resource)
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
