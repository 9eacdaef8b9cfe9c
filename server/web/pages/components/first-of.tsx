// The first of a long list, and how to see all: so that no page grows until a browser gives up.

type FirstOfProps = {
  readonly shown: number
  readonly of: number
  /** Plural: `hosts`. */
  readonly what: string
  /** Where all are shown. */
  readonly all: string
}

/** Nothing where all are shown. */
export function FirstOf({ shown, of, what, all }: FirstOfProps) {
  if (shown >= of) return null
  return (
    <p class="more">
      {countText(shown)} of {countText(of)} {what} are shown. <a href={all}>Show all {countText(of)}</a>
    </p>
  )
}

/** `1,000` */
export function countText(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}
