// The boundaries of docs/architecture.md, each with its reason. scripts/check.ts also asserts that modules were looked at.
const io =
  '^(node:)?(fs|fs/promises|child_process|net|tls|http|https|http2|dgram|dns|dns/promises|worker_threads|cluster)$'

const stages = ['sync', 'desire', 'observe', 'plan', 'apply', 'report']

/** A stage gets types from the stages before it, nothing from those after it; values meet only where stages are composed. */
const stageRules = stages.flatMap((stage, position) => {
  const before = stages.slice(0, position)
  const after = stages.slice(position + 1)
  const rules = []
  if (before.length > 0)
    rules.push({
      name: `${stage}-takes-types-only-from-earlier-stages`,
      comment: 'Stages pass plain data forward; loop.ts, reconcile.ts and commands/ compose them.',
      severity: 'error',
      from: { path: `^agent/${stage}/` },
      to: { path: `^agent/(${before.join('|')})/`, dependencyTypesNot: ['type-only'] },
    })
  if (after.length > 0)
    rules.push({
      name: `${stage}-knows-no-later-stage`,
      comment: 'No stage calls back into, or knows, a later one.',
      severity: 'error',
      from: { path: `^agent/${stage}/` },
      to: { path: `^agent/(${after.join('|')})/` },
    })
  return rules
})

/** A library that could be swapped is imported in one file. */
const oneDoor = (library, door) => ({
  name: `${library}-through-one-file`,
  comment: `${library} could be swapped for another: only ${door} knows it.`,
  severity: 'error',
  from: { path: '^(agent|server|shared)/', pathNot: door },
  to: { path: `^node_modules/${library}/` },
})

export default {
  forbidden: [
    ...stageRules,
    {
      name: 'agent-never-imports-server',
      comment: 'The agent is shipped alone and runs as root: the server has no business in it.',
      severity: 'error',
      from: { path: '^agent/' },
      to: { path: '^server/' },
    },
    {
      name: 'server-never-imports-agent',
      comment: 'The server can do nothing to a host that the protocol does not say.',
      severity: 'error',
      from: { path: '^server/' },
      to: { path: '^agent/' },
    },
    {
      name: 'shared-imports-neither-side',
      severity: 'error',
      comment: 'Both sides build on shared/.',
      from: { path: '^shared/' },
      to: { path: '^(agent|server|scripts|test)/' },
    },
    {
      name: 'shared-does-no-io',
      comment: 'Domain types, schemas and pure functions only; node I/O that both sides need is in shared/platform/.',
      severity: 'error',
      from: { path: '^shared/', pathNot: '^shared/platform/' },
      to: { path: io },
    },
    {
      name: 'pure-code-imports-no-platform',
      comment:
        'shared/platform/ is a leaf of node I/O: what computes from plain data gets values, or a capability such as Run, as arguments.',
      severity: 'error',
      from: {
        path: '^(shared|agent/(plan|document|resources|import|writing)|server/(judge|record|show|views|web/pages/components))/',
        pathNot: '^shared/platform/',
      },
      to: { path: '^shared/platform/' },
    },
    {
      name: 'platform-knows-no-side',
      comment:
        'Agent and server both build on it: it runs, opens and sends what it is given, and has no policy of either.',
      severity: 'error',
      from: { path: '^shared/platform/' },
      to: { path: '^(agent|server|scripts|test)/' },
    },
    {
      name: 'plan-and-judge-do-no-io',
      comment: 'A plan, and an alert, must be computable from plain data alone.',
      severity: 'error',
      from: { path: '^(agent/plan|server/judge)/' },
      to: { path: io },
    },
    {
      name: 'kinds-touch-the-host-through-capabilities',
      comment: 'Only what is passed in as HostReader or HostWriter can read or write, so planning cannot write.',
      severity: 'error',
      from: { path: '^agent/resources/' },
      to: { path: io },
    },
    {
      name: 'product-imports-no-scripts-or-tests',
      comment: 'scripts/ and test/ are for developers and are not shipped.',
      severity: 'error',
      from: { path: '^(agent|server|shared)/' },
      to: { path: '^(scripts|test)/' },
    },
    { name: 'no-circles', comment: 'A circle has no first room.', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nothing-unresolvable',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    oneDoor('isomorphic-git', '^agent/sync/'),
    oneDoor('diff', '^agent/(plan|adopt)/'),
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.mjs'],
      conditionNames: ['node', 'import', 'default'],
      exportsFields: ['exports'],
    },
  },
}
