/** What stands in the place of a secret in whatever is told. */
export const maskText = '[secret]'
