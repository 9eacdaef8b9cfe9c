// Keeps a page fresh: relative times, live updates over server-sent events, the filter as typed, copy buttons.
// Everything works without it, except that a page then shows the moment it was loaded.

const refreshAfter = 200
const refreshAfterHidden = 10_000
const refreshEvery = 1000
const reconnectAfter = 10_000

/** The clocks of server and browser may differ; times are told by the server's. */
const skew = Date.now() - Date.parse(document.body.dataset.now)

let waiting = 0
let lastRefresh = 0
let current = new AbortController()

document.documentElement.classList.add('scripted')
if (navigator.clipboard !== undefined) document.documentElement.classList.add('can-copy')
refreshTimes()
setInterval(refreshTimes, 5000)
filterAsTyped()
copyOnClick()
listen()
addEventListener('pageshow', (event) => {
  if (!event.persisted) return
  listen()
  scheduleRefresh()
})

function listen() {
  const address = main().dataset.events
  if (address === undefined) return
  const events = new EventSource(address)
  let missed = false
  events.addEventListener('open', () => {
    showLive(true)
    if (missed) scheduleRefresh()
    missed = false
  })
  events.addEventListener('changed', scheduleRefresh)
  events.addEventListener('error', () => {
    showLive(false)
    missed = true
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, reconnectAfter)
  })
  addEventListener('pagehide', () => events.close(), { once: true })
}

function scheduleRefresh() {
  if (waiting !== 0) return
  const rest = lastRefresh + refreshEvery - Date.now()
  waiting = setTimeout(refresh, Math.max(rest, document.hidden ? refreshAfterHidden : refreshAfter))
}

async function refresh() {
  clearTimeout(waiting)
  waiting = 0
  lastRefresh = Date.now()
  if (isSelecting()) return scheduleRefresh()
  current.abort()
  current = new AbortController()
  try {
    const response = await fetch(location.href, { signal: current.signal, headers: { accept: 'text/html' } })
    if (response.redirected) return location.assign(response.url)
    if (response.status >= 500) return showLive(false)
    show(new DOMParser().parseFromString(await response.text(), 'text/html'))
  } catch (error) {
    if (error.name !== 'AbortError') showLive(false)
  }
}

/** A person who marks text to copy it must not lose it. */
function isSelecting() {
  const selection = getSelection()
  return selection !== null && !selection.isCollapsed && main().contains(selection.anchorNode)
}

function show(next) {
  document.title = next.title
  swap(document.getElementById('nav'), next.getElementById('nav'))
  const kept = place()
  swap(main(), next.getElementById('main'))
  restore(kept)
  refreshTimes()
}

/** The children only: the element itself, its listeners and its attributes stay. */
function swap(old, next) {
  if (old === null || next === null) return
  old.replaceChildren(...document.adoptNode(next).childNodes)
}

/** What a person has done to the page: where it is scrolled, what is unfolded, where the focus is, what is typed. */
function place() {
  const focused = main().contains(document.activeElement) ? document.activeElement : null
  return {
    page: [scrollX, scrollY],
    boxes: [...main().querySelectorAll('[data-scroll]')].map((box) => [box.id, box.scrollLeft, box.scrollTop]),
    folds: [...main().querySelectorAll('details[id]')].map((fold) => [fold.id, fold.open]),
    focused,
    sought: focused && keyOf(focused),
    selection: focused instanceof HTMLInputElement ? [focused.selectionStart, focused.selectionEnd] : undefined,
  }
}

function restore({ page, boxes, folds, focused, sought, selection }) {
  for (const [id, open] of folds) {
    const fold = document.getElementById(id)
    if (fold !== null) fold.open = open
  }
  for (const [id, left, top] of boxes) document.getElementById(id)?.scrollTo({ left, top, behavior: 'instant' })
  scrollTo({ left: page[0], top: page[1], behavior: 'instant' })
  if (focused === null) return
  const successor = [...main().querySelectorAll(focused.localName)].find((element) => keyOf(element) === sought)
  if (successor === undefined) return
  const target = focused instanceof HTMLInputElement ? focused : successor
  if (target === focused) successor.replaceWith(focused)
  target.focus({ preventScroll: true })
  if (selection?.[0] != null) target.setSelectionRange(...selection)
}

/** The same control in two versions of a page. */
function keyOf(element) {
  return element.id || `${element.closest('[id]')?.id} ${element.getAttribute('href') ?? element.textContent}`
}

function filterAsTyped() {
  let pause = 0
  document.addEventListener('input', (event) => {
    const form = event.target.closest('form[data-filter]')
    if (form === null) return
    clearTimeout(pause)
    pause = setTimeout(() => {
      const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''))
      history.replaceState(null, '', query.size === 0 ? form.getAttribute('action') : `?${query}`)
      refresh()
    }, 120)
  })
}

function copyOnClick() {
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-copy]')
    if (button === null) return
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
    button.textContent = 'Copied'
    setTimeout(() => {
      button.textContent = 'Copy'
    }, 2000)
  })
}

function showLive(live) {
  const sign = document.getElementById('live')
  const text = live
    ? 'live'
    : `not live since ${new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}`
  if (live === sign.classList.contains('is-live') && sign.textContent !== '') return
  sign.classList.toggle('is-live', live)
  sign.textContent = text
}

function refreshTimes() {
  for (const time of document.querySelectorAll('time[datetime]')) {
    const text = relativeTime(Date.parse(time.dateTime), Date.now() - skew)
    if (time.textContent !== text) time.textContent = text
  }
}

/** The rules of relative-time.ts. */
function relativeTime(at, now) {
  const seconds = Math.round((now - at) / 1000)
  const distance = Math.abs(seconds)
  if (distance < 10) return 'just now'
  if (distance >= 90 * 86_400) return new Date(at).toISOString().slice(0, 10)
  return seconds < 0 ? `in ${lengthOf(distance)}` : `${lengthOf(distance)} ago`
}

function lengthOf(seconds) {
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

function main() {
  return document.getElementById('main')
}
