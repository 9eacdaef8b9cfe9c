// `plumb why PATH:LINE` on a host: the line of the live file is looked for in what was applied here, and the server is asked
// about the line of the repository's file. Only numbers leave the host, and only the repository's text is shown.
// Decision: docs/decisions/2026-11-26-blame-on-the-server.md
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { blameLimits } from '../../shared/repository/blame.ts'
import type { Agent } from '../inspect.ts'
import { type LiveLine, liveLine } from '../plan/live-line.ts'
import { type AppliedFile, appliedFile, appliedName } from './applied-file.ts'
import { openAgent } from './open.ts'
import type { LiveWhy, WhyAnswers, WhyAsker, WhyOptions, WhyQuestion } from './why-asked.ts'

/** The same server; the lines are those of this host's files. */
export function whyHere(server: WhyAsker, options: WhyOptions): WhyAsker {
  return {
    where: server.where,
    async ask(question) {
      const { path, lines } = question
      const place = absolutePathSchema.safeParse(path)
      if (!place.success) return await server.ask(question)
      if (typeof lines !== 'number')
        return (await server.ask(question)) ?? (await askedByName(server, question, options))
      const { agent } = await openAgent(options)
      const asked = { path: place.data, line: lines }
      try {
        const applied = await appliedFile(agent, await appliedName(agent, place.data))
        if (applied === undefined) return await server.ask(question)
        return await askedOfLive(server, applied, await liveWhy(agent, applied, asked))
      } catch (error) {
        if (!(error instanceof PlumbError) || error.code.startsWith('server-')) throw error
        return withLive(await server.ask({ path }), { ...asked, found: { kind: 'unknown', reason: error.message } })
      }
    },
  }
}

/** The server knows no other names than the repository's. */
async function askedByName(server: WhyAsker, question: WhyQuestion, options: WhyOptions) {
  const { agent } = await openAgent(options)
  const path = await appliedName(agent, absolutePathSchema.parse(question.path))
  return path === question.path ? undefined : await server.ask({ ...question, path })
}

type LiveQuestion = { readonly path: AbsolutePath; readonly line: number }

async function liveWhy(agent: Agent, applied: AppliedFile, { path, line }: LiveQuestion): Promise<LiveWhy> {
  const { files } = agent.host
  const [bytes, stat] = [await files.read(path, blameLimits.bytes), files.stat(path)]
  const found = bytes === undefined ? undefined : liveLine(applied.bytes, bytes, line)
  const reason =
    bytes === undefined ? 'there is no file of at most 1 MiB that can be read' : 'it is another file altogether'
  const writtenAt = stat === undefined ? {} : { writtenAt: new Date(stat.modifiedMs).toISOString() }
  return {
    path,
    line,
    ...writtenAt,
    found: found === undefined ? { kind: 'unknown', reason } : inSource(found, applied),
  }
}

/** The template's lines in the place of those it became. */
function inSource(found: LiveLine, { sourceLine }: AppliedFile): LiveLine {
  switch (found.kind) {
    case 'same':
    case 'changed':
      return { ...found, applied: sourceLine(found.applied) }
    case 'added':
      return { ...found, after: found.after === 0 ? 0 : sourceLine(found.after) }
    case 'no-such-line':
      return found
  }
}

async function askedOfLive(server: WhyAsker, applied: AppliedFile, live: LiveWhy): Promise<WhyAnswers | undefined> {
  const { found } = live
  const lines = found.kind === 'same' || found.kind === 'changed' ? found.applied : undefined
  const { source: path, revision } = applied
  const answers = await server.ask({ path, lines, revision })
  if (answers !== undefined) return withLive(answers, live)
  const message = `${server.where} does not have the revision ${revision.slice(0, 12)} of this host yet.`
  throw new PlumbError({ code: 'server-unreachable', message, remedy: 'It fetches every minute: ask again then.' })
}

function withLive(answers: WhyAnswers | undefined, live: LiveWhy): WhyAnswers | undefined {
  return answers?.map((answer) => ({ ...answer, live }))
}
