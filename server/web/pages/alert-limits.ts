// How much of many alerts one page shows; pure.
import type { AlertView } from '../../show/views.ts'

export type ShownAlert = AlertView & {
  /** The page has no room for it. */
  readonly diffLeftOut?: true
}

const alertsShown = 300
/** Of all diffs of the page together: characters of text and of the markup around each line. */
const diffRoom = 500_000
const markupOfLine = 100

export type AskedAlerts = {
  readonly showAll: boolean
  /** Id of one that is shown in any case: a link leads to it. */
  readonly alert: number | undefined
}

/** The first of them and the one that is asked for, and diffs until the room for them is used up. */
export function alertsToShow(alerts: readonly AlertView[], asked: AskedAlerts): readonly ShownAlert[] {
  const shown = alerts.filter((alert, place) => asked.showAll || place < alertsShown || isAlert(alert, asked.alert))
  let room = diffRoom
  return shown.map(({ diff, ...alert }) => {
    room -= diff === undefined ? 0 : diff.length + markupOfLine * diff.split('\n').length
    if (diff === undefined) return alert
    return room < 0 ? { ...alert, diffLeftOut: true } : { ...alert, diff }
  })
}

/** Itself, or one of those that are one row with it. */
export function isAlert({ id, members = [] }: AlertView, asked: number | undefined): boolean {
  return asked !== undefined && (id === asked || members.includes(asked))
}
