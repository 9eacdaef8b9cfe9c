// What of a page's geometry can be wrong whatever it shows, measured in the browser.
import type { Page } from 'playwright-core'

/** In CSS pixels. */
export type Misfits = {
  /** Height of the document below its content: what one scrolls into without an end in sight. */
  readonly void: number
  readonly sideways: number
  /** Boxes that scroll further than what is in them. */
  readonly boxes: readonly string[]
}

export const noMisfits: Misfits = { void: 0, sideways: 0, boxes: [] }

export async function misfitsOf(page: Page): Promise<Misfits> {
  return (await page.evaluate(`(${measure})()`)) as Misfits
}

/** Runs in the browser. A rounded pixel is no void. */
const measure = `() => {
  const root = document.documentElement
  const contentEnd = document.body.getBoundingClientRect().bottom + scrollY
  const beyond = (length, end) => (length - end > 1 ? Math.round(length - end) : 0)
  const boxes = [...document.querySelectorAll('main *')].flatMap((box) => {
    const style = getComputedStyle(box)
    if (!/auto|scroll/.test(style.overflowX + style.overflowY)) return []
    const at = box.getBoundingClientRect()
    const ends = [...box.children].map((child) => child.getBoundingClientRect())
    const bottom = Math.max(0, ...ends.map((end) => end.bottom - at.top - box.clientTop + box.scrollTop))
    const right = Math.max(0, ...ends.map((end) => end.right - at.left - box.clientLeft + box.scrollLeft))
    const down = beyond(box.scrollHeight, Math.max(bottom, box.clientHeight))
    const across = beyond(box.scrollWidth, Math.max(right, box.clientWidth))
    const name = box.id || box.className || box.localName
    return box.children.length > 0 && (down > 0 || across > 0) ? [name + ': ' + down + ' px down, ' + across + ' px across'] : []
  })
  return {
    void: beyond(root.scrollHeight, Math.max(contentEnd, innerHeight)),
    sideways: root.scrollWidth - root.clientWidth,
    boxes,
  }
}`

/** Is all of it on the first screen, before anything is scrolled? */
export async function isOnFirstScreen(page: Page, selector: string): Promise<boolean> {
  const box = await page.locator(selector).first().boundingBox()
  const screen = page.viewportSize()
  if (box === null || screen === null) return false
  return box.y >= 0 && box.y + box.height <= screen.height && box.x >= 0 && box.x < screen.width
}
