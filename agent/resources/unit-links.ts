// The links that enable units, as an attribute.
import { absolutePathSchema } from '../../shared/names.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import type { FileReader } from '../host/files.ts'

const none = 'nothing'

/** `graphical.target.wants/web.service, multi-user.target.wants/web.service` */
export function linksText(links: readonly string[]): string {
  return links.length === 0 ? none : links.toSorted().join(', ')
}

export function linksIn(text: string | undefined): readonly string[] {
  return text === undefined || text === none ? [] : text.split(', ')
}

export function presentLinks(links: readonly string[], files: Pick<FileReader, 'stat'>): readonly string[] {
  return links.filter((link) => files.stat(absolutePathSchema.parse(`${unitDirectory}/${link}`)) !== undefined)
}
