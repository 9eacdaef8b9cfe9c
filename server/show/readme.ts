// Renders a service's README.md as sanitized HTML: push access must not allow scripts on the dashboard.
import { marked } from 'marked'
import sanitizeHtml from 'sanitize-html'
import { visibleProse } from '../../shared/visible-text.ts'

const limitCharacters = 256 * 1024

export function readmeHtml(markdown: string): string {
  const shown = visibleProse(markdown.slice(0, limitCharacters))
  const html = marked.parse(shown, { async: false, gfm: true })
  return sanitizeHtml(html, {
    allowedTags: [...blocks, ...inline, ...tables],
    allowedAttributes: { a: ['href', 'rel'], code: ['class'], th: ['align'], td: ['align'], ol: ['start'] },
    allowedSchemes: ['http', 'https', 'mailto'],
    transformTags: {
      a: (tagName, attribs) => ({ tagName, attribs: { ...attribs, rel: 'noopener noreferrer nofollow' } }),
      // The page already has a first heading.
      h1: (_tag, attribs) => ({ tagName: 'h2', attribs }),
    },
  })
}

const blocks = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'p', 'ul', 'ol', 'li', 'pre', 'blockquote', 'hr', 'br']
const inline = ['a', 'code', 'em', 'strong', 'del', 'kbd', 'sub', 'sup']
const tables = ['table', 'thead', 'tbody', 'tr', 'th', 'td']
