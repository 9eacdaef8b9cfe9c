// `plumb enroll`: makes this host known to a server. The token comes by the environment, where `ps` does not show it.

import { resolve } from 'node:path'
import { compact } from '../../shared/compact.ts'
import { PlumbError } from '../../shared/problem.ts'
import { enroll } from '../report/enroll.ts'
import { certificateIn } from '../report/server-tls.ts'
import { ownHostName } from './configuration.ts'
import { hostNameOption } from './open.ts'
import type { Output } from './output.ts'

export type EnrollOptions = {
  readonly server: string
  readonly host?: string
  /** PEM file. */
  readonly certificate?: string
  readonly state: string
}

export async function enrollHost(options: EnrollOptions, output: Output): Promise<number> {
  const host = options.host === undefined ? ownHostName() : hostNameOption(options.host)
  const certificate = options.certificate === undefined ? undefined : await certificateIn(options.certificate)
  await enroll({
    server: options.server,
    token: tokenGiven(),
    host,
    stateDirectory: resolve(options.state),
    ...compact({ certificate }),
  })
  output.print({ json: { host, server: options.server }, text: [`${host} is enrolled at ${options.server}`] })
  return 0
}

function tokenGiven(): string {
  const token = process.env['PLUMB_TOKEN']
  if (token !== undefined && token !== '') return token
  throw new PlumbError({
    code: 'usage',
    message: 'No enrollment token was given.',
    remedy: "Set PLUMB_TOKEN to the token of the server's install line.",
  })
}
