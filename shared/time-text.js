// A time as people read it: the same on pages, in terminals and in alerts. Plain JavaScript, because browsers load this very file
// to keep the times of an open page fresh.

const minute = 60
const hour = 60 * minute
const day = 24 * hour

export function absoluteTime(at) {
  const moment = new Date(at)
  return Number.isNaN(moment.getTime()) ? String(at) : `${moment.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

export function relativeTime(at, now) {
  const moment = new Date(at)
  if (Number.isNaN(moment.getTime())) return String(at)
  const seconds = Math.round((now.getTime() - moment.getTime()) / 1000)
  const distance = Math.abs(seconds)
  if (distance < 10) return 'just now'
  if (distance >= 90 * day) return moment.toISOString().slice(0, 10)
  return seconds < 0 ? `in ${lengthOf(distance)}` : `${lengthOf(distance)} ago`
}

export function lengthOf(seconds) {
  if (seconds < minute) return `${seconds} s`
  if (seconds < hour) return `${Math.floor(seconds / minute)} min`
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)} h`
  return `${Math.floor(seconds / day)} d`
}
