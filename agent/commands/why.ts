// `plumb why PATH[:LINE]`: the commit behind a managed path, or behind its lines. From a full clone, or from the server.

import { resolve } from 'node:path'
import { parseResourceId } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError } from '../../shared/problem.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { templateOfUnit } from '../../shared/repository/unit-names.ts'
import { isOfKind } from '../../shared/resource.ts'
import { openHost, readerOf } from '../host/host.ts'
import { type Interruptible, interruptible } from '../host/interruptible.ts'
import { givenWords } from './open.ts'
import type { Output } from './output.ts'
import type { WhyAnswers, WhyAsker, WhyOptions } from './why-asked.ts'
import { whyInClone } from './why-clone.ts'
import { whyHere } from './why-here.ts'
import { serverAsked, whyOfServer } from './why-server.ts'
import { whyLines } from './why-text.ts'

export async function why(text: string, options: WhyOptions, output: Output): Promise<number> {
  const answers = await interruptible(createRun(), async (parts) =>
    answersTo(text, options.lines === true, await asker(options, output, parts)),
  )
  output.print({ json: answers, text: [whyLines(answers, givenWords(options)).join('\n')] })
  return answers.length > 0 && answers.every(isLineMissing) ? 1 : 0
}

/** Past the end of the file: of the live one, where that was asked about. */
function isLineMissing({ line, live }: WhyAnswers[number]): boolean {
  return (live?.found ?? line)?.kind === 'no-such-line'
}

/** On a host, what its own server knows of it; elsewhere a server that was named, or a clone. */
async function asker(options: WhyOptions, output: Output, { run, atSignal }: Interruptible): Promise<WhyAsker> {
  const server = options.repo === undefined ? await serverAsked(options) : undefined
  if (server === undefined)
    return await whyInClone(options.repo ?? '.', run, { output, files: filesOf(options), atSignal })
  const asked = whyOfServer(server, options.host)
  const isHere = server.ownName !== undefined && (options.host ?? server.ownName) === server.ownName
  return isHere ? whyHere(asked, options) : asked
}

function filesOf({ root }: WhyOptions) {
  return readerOf(openHost({ root: resolve(root), run: createRun() })).files
}

/** A name may end in a colon and digits: what is managed under the whole text is meant. */
async function answersTo(text: string, all: boolean, asker: WhyAsker): Promise<WhyAnswers> {
  const { ask, where } = asker
  if (isOfKind(text, 'unit')) return await answersToUnit(parseResourceId(text).name, all, asker)
  const whole = await ask({ path: text, lines: all ? 'all' : undefined })
  if (whole !== undefined) return whole
  const [, path, digits] = /^(.+):(\d{1,7})$/.exec(text) ?? []
  if (path === undefined) throw notManaged(text, where)
  if (all) throw usage('One line and all lines are asked for.', `plumb why ${path} --lines`)
  const line = Number(digits)
  if (line === 0) throw usage('Lines are counted from 1.', `plumb why ${path}:1`)
  const answers = await ask({ path, lines: line })
  if (answers === undefined) throw notManaged(path, where)
  if (answers.some(({ removed }) => removed !== undefined)) return answers
  if (answers.every((answer) => answer.line === undefined && answer.live === undefined))
    throw usage(`${where} tells no line of ${path}: it is a directory, or the server is older.`, `plumb why ${path}`)
  return answers
}

/** By its name as findings and `plumb adopt` have it: the file of the unit, or of the template that it is an instance of. */
async function answersToUnit(unit: string, all: boolean, { ask, where }: WhyAsker): Promise<WhyAnswers> {
  for (const file of new Set([unit, templateOfUnit(unit)])) {
    const answers = await ask({ path: `${unitDirectory}/${file}`, lines: all ? 'all' : undefined })
    if (answers !== undefined) return answers
  }
  throw usage(
    `Nothing in ${where} has a file for the unit ${unit}.`,
    'What is said of a unit of a package is in its service: plumb why services/SERVICE/service.yaml',
  )
}

function notManaged(path: string, where: string): PlumbError {
  return usage(
    `Nothing in ${where} manages ${path}.`,
    'Give the path as it is on the host (/etc/motd) or in the repository (services/base/files/etc/motd); --repo DIR names another clone.',
  )
}

function usage(message: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'usage', message, remedy })
}
