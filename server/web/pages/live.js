// Keeps a page fresh: relative times, live updates over server-sent events, the filter as typed, copy buttons.
// Everything works without it, except that a page then shows the moment it was loaded, and says so.
import { absoluteTime, relativeTime } from '../../../shared/time-text.js'

const refreshAfter = 200
const refreshAfterHidden = 10_000
const refreshEvery = 1000
const reconnectAfter = 10_000
/** For what is no event: that nothing was heard of a host for a while. */
const refreshAnyway = 60_000

/** The clocks of server and browser may differ; times are told by the server's. */
const skew = Date.now() - Date.parse(document.body.dataset.now)

let waiting = 0
let lastRefresh = 0
let current = new AbortController()

document.documentElement.classList.add('scripted')
if (navigator.clipboard !== undefined) document.documentElement.classList.add('can-copy')
refreshTimes()
setInterval(refreshTimes, 5000)
if (main().dataset.events !== undefined) setInterval(scheduleRefresh, refreshAnyway)
filterAsTyped()
copyOnClick()
showMarks()
addEventListener('toggle', showMarks, { capture: true })
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

/** What differs at the far end of a long line is scrolled into sight, once. */
function showMarks() {
  for (const diff of document.querySelectorAll('.diff:not([data-scrolled])')) {
    const mark = diff.querySelector('mark')
    if (mark === null || diff.clientWidth === 0) continue
    diff.dataset.scrolled = ''
    const left = mark.getBoundingClientRect().left - diff.getBoundingClientRect().left
    if (left > diff.clientWidth) diff.scrollLeft += left - diff.clientWidth / 2
  }
}

/** A person who marks text to copy it must not lose it. */
function isSelecting() {
  const selection = getSelection()
  return selection !== null && !selection.isCollapsed && main().contains(selection.anchorNode)
}

function show(next) {
  document.title = next.title
  for (const id of ['recording', 'made']) become(document.getElementById(id), next.getElementById(id))
  const focused = document.activeElement
  become(document.getElementById('nav'), next.getElementById('nav'))
  become(main(), next.getElementById('main'))
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true })
  refreshTimes()
}

/** Touches only what differs: focus, scroll, marked text and what is unfolded stay, and 6,000 cells are not laid out anew. */
function become(old, next) {
  if (old === null || next === null || old.isEqualNode(next)) return
  if (old.nodeType !== Node.ELEMENT_NODE) old.data = next.data
  else {
    becomeAttributes(old, next)
    becomeChildren(old, next)
  }
}

function becomeAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !isReaders(old, name)) old.removeAttribute(name)
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value && !isReaders(old, name)) old.setAttribute(name, value)
  }
}

/** What a person has unfolded or folded is theirs, and so is where a diff is scrolled to. */
function isReaders(element, name) {
  return (name === 'open' && element.localName === 'details') || name === 'data-scrolled'
}

function becomeChildren(old, next) {
  const named = new Map([...old.children].map((child) => [nameOf(child), child]))
  let place = old.firstChild
  for (const child of [...next.childNodes]) {
    const name = nameOf(child)
    const present = name === '' ? place : named.get(name)
    if (!present || nameOf(present) !== name || present.nodeName !== child.nodeName) {
      old.insertBefore(child, place)
      continue
    }
    if (present === place) place = place.nextSibling
    else old.insertBefore(present, place)
    become(present, child)
  }
  while (place !== null) {
    const after = place.nextSibling
    place.remove()
    place = after
  }
}

/** By which a part of a page is known in the next version of it; empty: by its place. */
function nameOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return ''
  return node.id || node.getAttribute('aria-labelledby') || node.getAttribute('aria-label') || ''
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
  if (live === sign.classList.contains('is-live') && sign.textContent !== '') return
  sign.classList.toggle('is-live', live)
  sign.textContent = live ? 'live' : 'not live'
  showOld(live ? undefined : serverNow())
}

/** Over the page, and in sight wherever it is scrolled to: what it shows may be so no more. */
function showOld(since) {
  const note = document.getElementById('not-live')
  note.hidden = since === undefined
  if (since === undefined) return
  const time = document.createElement('time')
  time.dateTime = since.toISOString()
  time.title = absoluteTime(since)
  const what = document.createElement('b')
  what.append('Not live since ', time, ` (${absoluteTime(since)}).`)
  note.replaceChildren(what, ' The server does not answer. What is shown was so then; it goes on by itself.')
  refreshTimes()
}

function refreshTimes() {
  for (const time of document.querySelectorAll('time[datetime]')) {
    const text = relativeTime(time.dateTime, serverNow())
    if (time.textContent !== text) time.textContent = text
  }
}

function serverNow() {
  return new Date(Date.now() - skew)
}

function main() {
  return document.getElementById('main')
}
