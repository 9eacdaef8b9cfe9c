// What a report says that `plumb adopt` would do, on hosts with and without the git that it commits with.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openAgent } from '../../agent/commands/open.ts'
import { type Agent, desiredAt, inspectHost, serviceReportsOf } from '../../agent/inspect.ts'
import { createReconciler } from '../../agent/reconcile.ts'
import { waysOut } from '../../shared/ways-out.ts'
import { makeRepository } from '../support/git.ts'

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\n',
  'services/web/README.md': '# web\n',
  'services/web/files/etc/web.conf': 'workers 1\n',
}

async function drifted(): Promise<Agent> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-adoptions-'))
  const fleet = await makeRepository(files)
  onTestFinished(async () => {
    await fleet.remove()
    await rm(directory, { recursive: true, force: true })
  })
  const [root, state] = [join(directory, 'root'), join(directory, 'state')]
  await mkdir(root)
  const { agent } = await openAgent({ repo: fleet.directory, host: 'web-1', root, state })
  const reconciler = createReconciler(agent)
  await reconciler.sync(new AbortController().signal)
  await reconciler.pass({ full: false, onChange: () => undefined })
  await writeFile(join(root, 'etc/web.conf'), 'workers 4\n')
  return agent
}

async function waysOn(agent: Agent) {
  const inspection = await inspectHost(
    agent,
    await desiredAt(agent, await agent.repository.sync({ allowRewind: false })),
    {
      full: false,
    },
  )
  const [report] = await serviceReportsOf(agent, inspection)
  return report === undefined ? [] : waysOut(report)
}

test('adopt is offered where git is, and where it comes to be', async () => {
  const agent = await drifted()
  const without: Agent = {
    ...agent,
    host: { ...agent.host, query: () => Promise.resolve({ code: 127, stdout: '', stderr: 'not there' }) },
  }
  const byHand = {
    kind: 'commit',
    files: ['services/web/files/etc/web.conf'],
    refused: [{ problem: { code: 'git-missing', remedy: expect.stringContaining('from a clone') } }],
  }
  expect(await waysOn(without)).toMatchObject([byHand, { kind: 'apply' }])
  expect(await waysOn(agent)).toMatchObject([{ kind: 'adopt' }, { kind: 'apply' }])
  expect(await waysOn(without)).toMatchObject([byHand, { kind: 'apply' }])
})
