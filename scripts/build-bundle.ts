// The agent and everything it imports, as one file of JavaScript that Node runs from anywhere.
import { build, type Plugin } from 'esbuild'

/** Returns the bundle's text; nothing is written. Throws with the places when the sources do not build. */
export async function bundleOf(entry: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node26',
    // A single executable runs CommonJS; as a module it would need Node's module loader at start, which is slower.
    format: 'cjs',
    // Names stay, so that a stack trace in a host's journal can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'eof',
    plugins: [englishOnly],
    logLevel: 'error',
    // ws looks for native helpers that are not shipped; saying so removes the look-up from the bundle.
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
  })
  const [bundle] = outputFiles
  if (bundle === undefined) throw new Error(`esbuild made nothing of ${entry}.`)
  return Buffer.from(inAscii(bundle.text))
}

/** zod's messages in fifty languages would be an eighth of the text; which of them are in use is not seen until it runs. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js'",
    })),
}

/** esbuild leaves regular expressions as they are; one character beyond Latin-1 has V8 keep the whole text with two bytes for each. */
function inAscii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
