// The files that pages load, read once, under addresses that change with their content, so that a browser may keep them.
// The only place that knows where these files lie: a bundle of the server needs them beside the bundle.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

export type StaticFile = {
  /** `/static/style.1a2b3c4d5e.css` */
  readonly address: string
  readonly contentType: string
  readonly body: string
}

type Named = { readonly file: string }

/** In the order in which they are served as one: a later rule wins over an earlier one of the same specificity. */
const styles = ['tokens', 'elements', 'frame', 'states', 'fleet', 'parts', 'host', 'lines']
export const styleSheet = styleSheetOf(styles.map((name) => `style/${name}.css`))
const timeScript = staticFile('../../../shared/time-text.js', 'text/javascript; charset=utf-8')
export const liveScript = staticFile('live.js', 'text/javascript; charset=utf-8', [timeScript])
export const gridKeysScript = staticFile('grid-keys.js', 'text/javascript; charset=utf-8')
export const favicon = staticFile('favicon.svg', 'image/svg+xml')

export const staticFiles: readonly StaticFile[] = [styleSheet, timeScript, liveScript, gridKeysScript, favicon]

/** What it imports is imported from the address that a browser may keep it by. */
function staticFile(
  file: string,
  contentType: string,
  imported: readonly (StaticFile & Named)[] = [],
): StaticFile & Named {
  const body = imported.reduce((text, one) => text.replace(`'${one.file}'`, `'${one.address}'`), sourceOf(file))
  return { address: addressOf(basename(file), body), contentType, body, file }
}

function styleSheetOf(files: readonly string[]): StaticFile {
  const body = files.map(sourceOf).join('\n')
  return { address: addressOf('style.css', body), contentType: 'text/css; charset=utf-8', body }
}

function sourceOf(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}

function addressOf(name: string, body: string): string {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 10)
  const dot = name.lastIndexOf('.')
  return `/static/${name.slice(0, dot)}.${hash}${name.slice(dot)}`
}
