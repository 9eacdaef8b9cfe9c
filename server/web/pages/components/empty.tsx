// Where there is nothing to show: what that means and what to do next.
import type { PropsWithChildren } from 'hono/jsx'

export function Empty({ title, children }: PropsWithChildren<{ readonly title: string }>) {
  return (
    <div class="empty">
      <p class="title">{title}</p>
      {children}
    </div>
  )
}
