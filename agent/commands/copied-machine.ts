// A machine that was copied together with its agent: the server knows the key with another machine, and this one learns what to do.
import { join, resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Problem } from '../../shared/problem.ts'
import type { Report } from '../../shared/report.ts'
import { shellWord } from '../../shared/shell-word.ts'
import type { Requests } from '../loop.ts'
import { dedupeProblems } from '../report/build.ts'
import { type Configuration, configurationFile } from './configuration.ts'

export type CopyNotice = {
  readonly noticed: (isCopy: boolean) => void
  /** The report with the problem in it while there is one; `plumb status` shows what it says. */
  readonly toldIn: (report: Report) => Report
}

type Needs = { readonly state: string; readonly requests: Requests; readonly log: Logger }

export function noticingCopy(configuration: Configuration, { state, requests, log }: Needs): CopyNotice {
  let problem: Problem | undefined
  return {
    noticed(isCopy) {
      if (isCopy === (problem !== undefined)) return
      problem = isCopy ? identityShared(configuration, resolve(state)) : undefined
      if (problem !== undefined) log.error({ code: problem.code, remedy: problem.remedy }, problem.message)
      requests.add('check')
    },
    toldIn: (report) =>
      problem === undefined ? report : { ...report, problems: dedupeProblems([...report.problems, problem]) },
  }
}

function identityShared({ host, server }: Configuration, state: string): Problem {
  const own = ['identity.pem', 'enrolled', 'spool.json'].map((name) => shellWord(join(state, name)))
  return {
    code: 'identity-shared',
    message: `${server ?? 'the server'} knows the host ${host} as another machine than this one: this one was copied from it, or its machine-id changed. Nothing that this machine reports is recorded.`,
    remedy:
      `On a copy: systemctl stop plumb; rm -f ${configurationFile} ${own.join(' ')}; then the server's install line for a host name of its own. ` +
      `Where this is the one machine ${host}: DELETE /api/v1/hosts/${host}/machine on the server.`,
  }
}
