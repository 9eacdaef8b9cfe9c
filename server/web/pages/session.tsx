// Signing in and out.
import type { Context } from 'hono'
import { showPage } from './document.tsx'
import { LoginPage } from './login.tsx'
import type { PageParts } from './parts.ts'
import { safeNext, signInElsewhere } from './sign-in.ts'

type SignIn = { readonly next: string | undefined; readonly refused: boolean }

export async function showLogin(c: Context, parts: PageParts, { next, refused }: SignIn): Promise<Response> {
  const elsewhere = signInElsewhere(parts, c)
  const [required, undone] = ['required', 'undone'].map((name) => c.req.query(name) !== undefined)
  const body = <LoginPage {...{ refused, elsewhere, required, undone }} next={safeNext(next)} />
  return await showPage(c, parts, { title: 'Sign in', status: refused ? (elsewhere ? 400 : 401) : 200, body })
}

type SignInForm = { readonly next: string; readonly token: string }

export async function signIn(c: Context, parts: PageParts, { next, token }: SignInForm): Promise<Response> {
  const isKept = signInElsewhere(parts, c) === undefined
  if (!isKept || !(await parts.access.signIn(c, token))) return await showLogin(c, parts, { next, refused: true })
  return c.redirect(safeNext(next), 303)
}

export async function signOut(c: Context, parts: PageParts): Promise<Response> {
  await parts.access.signOut(c)
  return c.redirect('/', 303)
}
