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

/** Rounded to the nearest, so that a hold of two hours does not end `in 1 h` as soon as it begins. */
export function lengthOf(seconds) {
  const minutes = Math.round(seconds / minute)
  const hours = Math.round(seconds / hour)
  if (Math.round(seconds) < minute) return `${Math.round(seconds)} s`
  if (minutes < 60) return `${minutes} min`
  // An hour and a half is neither one nor two.
  if (minutes < 120) return minutes === 60 ? '1 h' : `1 h ${minutes - 60} min`
  return hours < 48 ? `${hours} h` : `${Math.round(seconds / day)} d`
}
