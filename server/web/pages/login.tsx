// `/login`: the operator's token for a session.
type LoginProps = {
  /** Where to go after it; a path of this site. */
  readonly next: string
  readonly refused: boolean
  /** A page was asked for that needs a session. */
  readonly required?: boolean | undefined
  /** A form was sent without a session: it has changed nothing. */
  readonly undone?: boolean | undefined
  /** Where to sign in, because a session of this address would not be kept. */
  readonly elsewhere: string | undefined
}

export function LoginPage({ next, refused, required = false, undone = false, elsewhere }: LoginProps) {
  return (
    <>
      <h1>Sign in</h1>
      {elsewhere !== undefined && (
        <p class="refusal" role="alert">
          You are not signed in: browsers keep a session of this server for https alone. Sign in at{' '}
          <a href={`${elsewhere}?next=${encodeURIComponent(next)}`}>{elsewhere}</a>.
        </p>
      )}
      {refused && elsewhere === undefined && (
        <p class="refusal" role="alert">
          That is not the operator token. Nothing was changed.
        </p>
      )}
      {required && !refused && (
        <p class="lead">
          This needs the operator token.
          {undone && ' Your session has ended and nothing was changed: sign in and do it again.'}
        </p>
      )}
      <section class="panel narrow">
        <form method="post" action="/login" class="fields">
          <input type="hidden" name="next" value={next} />
          <label for="token">Operator token</label>
          <input id="token" name="token" type="password" autocomplete="current-password" required />
          <button type="submit" class="primary">
            Sign in
          </button>
        </form>
        <p class="by">
          It is in the file <code>operator-token</code> of the server’s data directory.
        </p>
      </section>
    </>
  )
}
