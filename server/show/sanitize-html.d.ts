// The part of sanitize-html that is used here; the package brings no types.
declare module 'sanitize-html' {
  type Attributes = Record<string, string>
  type Options = {
    readonly allowedTags: readonly string[]
    readonly allowedAttributes: Readonly<Record<string, readonly string[]>>
    readonly allowedSchemes: readonly string[]
    readonly disallowedTagsMode?: 'discard' | 'escape'
    readonly transformTags?: Readonly<
      Record<string, (tag: string, attributes: Attributes) => { tagName: string; attribs: Attributes }>
    >
  }
  export default function sanitizeHtml(dirty: string, options: Options): string
}
