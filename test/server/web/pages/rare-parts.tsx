// What no page of the example fleet shows, on one page: the style sheet is held against it too.

import { readmeHtml } from '../../../../server/show/readme.ts'
import type { DriftView } from '../../../../server/show/views.ts'
import { AlertLines } from '../../../../server/web/pages/components/alert.tsx'
import { BlameLines } from '../../../../server/web/pages/components/blame.tsx'
import { Diff } from '../../../../server/web/pages/components/diff.tsx'
import { Empty } from '../../../../server/web/pages/components/empty.tsx'
import { UnknownPart } from '../../../../server/web/pages/components/service-parts.tsx'
import { State, states } from '../../../../server/web/pages/components/state.tsx'
import { ValueChanges } from '../../../../server/web/pages/components/value-changes.tsx'
import { MessagePage } from '../../../../server/web/pages/message.tsx'
import { WaysOut } from '../../../../server/web/pages/ways-out.tsx'
import type { Blame } from '../../../../shared/why.ts'
import { exampleFleet, type FixtureFleet, revision } from './fixtures.ts'

const changed = '--- a\n+++ b\n@@ -1,2 +1,2 @@\n-workers 2048;\n+workers 4096;\n same\n\\ No newline at end of file\n'

const problems = [
  {
    code: 'repository-invalid',
    message: 'unknown key\noutput of a program',
    where: { file: 'plumb.yaml', key: 'hosts' },
  },
  { code: 'validation-failed', message: 'it fails', remedy: 'Correct it and push.', service: 'web' },
] as const

const blame: Blame = {
  kind: 'lines',
  runs: [{ revision: revision('a1'), first: 1, lines: ['one', 'two', 'three'], formerly: 'old.conf' }],
  commits: [
    { revision: revision('a1'), author: 'Ada', at: '2026-11-01T00:00:00Z', subject: 'Begin', message: 'Begin\n\nWhy.' },
  ],
}

const readme = [
  '# Title',
  '## Part',
  '### Below',
  'text `code`',
  '1. one\n2. two',
  '- a\n- b',
  '| a | b |\n|---|---|\n| 1 | 2 |',
]

export function RareParts({ now }: { readonly now: Date }) {
  const { finding, drift } = firstDrift(exampleFleet(now))
  return (
    <>
      <div class="verdict">
        <h1 class="is-in-sync">All in sync</h1>
      </div>
      <MessagePage title="This page failed" text="Its log tells why." problems={problems} />
      {states.map((state) => (
        <State state={state} count={2} was />
      ))}
      {states.map((state) => (
        <State state={state} />
      ))}
      <Diff diff={changed} label="With a note, and cut" limit={6} />
      <Diff diff={changed} label="Whole" limit={100} />
      <BlameLines blame={blame} label="Cut" limit={2} />
      <ValueChanges
        finding={{
          ...finding,
          changesCut: true,
          changes: [
            { kind: 'changed', path: 'a.b', expected: '1', live: '2' },
            { kind: 'added', path: 'a.c', live: '3' },
          ],
        }}
      />
      <UnknownPart unknown={{ problems: [...problems] }} />
      <WaysOut
        drift={{ ...drift, waysOut: [{ kind: 'unchecked' }] }}
        server={{ url: 'http://plumb', selfSigned: true }}
      />
      <Empty title="None">
        <pre>hosts:</pre>
      </Empty>
      <section class="panel">
        <div class="prose" dangerouslySetInnerHTML={{ __html: readmeHtml(readme.join('\n\n')) }} />
      </section>
      <AlertLines
        alerts={Array.from({ length: 7 }, () => exampleFleet(now).alerts)
          .flat()
          .slice(0, 7)}
      />
    </>
  )
}

function firstDrift(fixture: FixtureFleet): { readonly drift: DriftView; readonly finding: DriftView['finding'] } {
  const drift = [...fixture.drifts][0]
  if (drift === undefined) throw new Error('the example fleet has no drift')
  return { drift, finding: drift.finding }
}
