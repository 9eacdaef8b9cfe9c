// Something to run elsewhere: selectable in one click, with a copy button where the browser has a clipboard.
import type { PropsWithChildren } from 'hono/jsx'

/** The children say where to run it. */
export function Command({ text, id, children }: PropsWithChildren<{ readonly text: string; readonly id: string }>) {
  return (
    <div class="command">
      <div>
        <p>{children}</p>
        <button type="button" class="copy" data-copy={id}>
          Copy
        </button>
      </div>
      <pre id={id}>{text}</pre>
    </div>
  )
}
