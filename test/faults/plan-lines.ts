// What each line of a plan foretells: the path that changes, what tools are told - as the fakes write it down - and in which
// words the apply tells it.
export type Line = {
  readonly text: string
  readonly kind: 'write' | 'remove' | 'purge' | 'telling'
  /** A path. */
  readonly of: string
  /** All of them are told, when it is certain; none but these in any case. */
  readonly actions: readonly string[]
  readonly isCertain: boolean
  /** What may be told too: a package that is held is released for the moment of its change. */
  readonly besides: readonly string[]
  /** Undefined: in words that are not of the line alone. */
  readonly past: string | undefined
}

export function lineOf(text: string): Line {
  for (const [form, read] of forms) {
    const found = form.exec(text)
    if (found === null) continue
    const [, ...parts] = found
    const nothing = { kind: 'telling', of: '', actions: [], isCertain: true, besides: [], past: undefined } as const
    return { text, ...nothing, ...read(parts, text) }
  }
  throw new Error(`a line of a plan that this test cannot read: ${text}`)
}

/** `restart one.service`, `apt-get install tool`, `compose s0: start main`; of a log line that names several, one each. */
export function actionsIn(logged: string): readonly string[] {
  const [, project = '', done = ''] = /^compose up (\S+): (.*)$/.exec(logged) ?? []
  if (project !== '')
    return done === 'nothing' ? [] : done.split(', ').map((one) => `compose ${project}: ${composeWords(one)}`)
  if (/^(?:compose|system|ran|udevadm) ?/.test(logged) || logged === 'daemon-reload') return [logged]
  const [, verb = '', names = ''] = /^((?:apt-get |apt-mark )?\S+) (.*)$/.exec(logged) ?? []
  return names.split(' ').map((name) => `${verb} ${name}`)
}

type Read = (parts: readonly string[], text: string) => Partial<Line>

const pathForms: readonly (readonly [RegExp, Read])[] = [
  [
    /^remove from (\/.*?): (?:.* and )?what its packages leave there$/,
    ([of = '']) => ({ kind: 'purge', of, isCertain: false }),
  ],
  [/^remove from (\/.*?): /, ([of = ''], text) => ({ kind: 'purge', of, past: text.replace('remove', 'removed') })],
  [/^remove (\/\S*)/, ([of = ''], text) => ({ kind: 'remove', of, past: text.replace('remove', 'removed') })],
  [/^leave (\/\S*): it is not empty$/, (_, text) => ({ past: text.replace('leave', 'left') })],
  [/^restore (\/\S*) as/, ([of = ''], text) => ({ kind: 'write', of, past: text.replace('restore', 'restored') })],
  [
    /^write (\/.*) \(.*\)$/,
    ([of = ''], text) => ({ kind: 'write', of, past: text.replace('write', 'wrote').replace('(is a ', '(was a ') }),
  ],
  [/^link (\/.*) to .*$/, ([of = ''], text) => ({ kind: 'write', of, past: text.replace('link', 'linked') })],
  [/^make (\/.*)$/, ([of = ''], text) => ({ kind: 'write', of, past: text.replace('make', 'made') })],
  [/^correct (\/.*) \(.*\)$/, ([of = ''], text) => ({ kind: 'write', of, past: text.replace('correct', 'corrected') })],
]

const pastOf: Readonly<Record<string, string>> = {
  ...{ unmask: 'unmasked', enable: 'enabled', disable: 'disabled', stop: 'stopped', mask: 'masked', start: 'started' },
  ...{ reload: 'reloaded', restart: 'restarted' },
}
const unitVerb = '(?:unmask|enable|disable|stop|mask|start)'

const forms: readonly (readonly [RegExp, Read])[] = [
  ...pathForms,
  [/^leave \S+ as it is: /, (_, text) => ({ past: text.replace('leave', 'left') })],
  [
    new RegExp(`^(${unitVerb}(?:(?:, | and )${unitVerb})*) (\\S+)(, unless its package does)?$`),
    ([verbs = '', unit = '', doubt], text) => ({
      ...unitActions(verbs.split(/, | and /), unit),
      isCertain: doubt === undefined,
      past: doubt === undefined ? text.replace(new RegExp(unitVerb, 'g'), (verb) => pastOf[verb] ?? '') : undefined,
    }),
  ],
  [
    /^(reload|restart) (\S+)( if it runs)?$/,
    ([verb = '', unit = '', doubt]) => ({
      actions: [`${verb} ${unit}`],
      isCertain: doubt === undefined,
      past: `${pastOf[verb]} ${unit}`,
    }),
  ],
  [/^run (after .*)$/, ([command]) => ({ actions: [`ran ${command}`], past: `ran ${command}` })],
  [
    /^run (?:systemctl )?(.*?)(, where \S+ is)?$/,
    ([tool = '', doubt]) => ({ actions: [tool], isCertain: doubt === undefined }),
  ],
  [/^validate with (.*)$/, ([command]) => ({ actions: [`ran ${command}`] })],
  [/^check /, () => ({})],
  [/^compose project (\S+): (.*)$/, ([project = '', what = '']) => ({ actions: composeActions(project, what) })],
  [
    /^([\w-]+): (.*)$/,
    ([name = '', what = '']) => ({
      actions: packageActions(name, what),
      besides: [`apt-mark unhold ${name}`, `apt-mark hold ${name}`],
    }),
  ],
]

/** Whether a unit is enabled beneath a mask is known when that is gone. */
function unitActions(verbs: readonly string[], unit: string): Pick<Line, 'actions' | 'besides'> {
  const isHidden = (verb: string) => verbs.includes('unmask') && /able$/.test(verb)
  const told = (those: readonly string[]) => those.map((verb) => `${verb} ${unit}`)
  return { actions: told(verbs.filter((verb) => !isHidden(verb))), besides: told(verbs.filter(isHidden)) }
}

/** Of a forecast; what it could not tell, or said would fail, is nothing that a fake writes down. */
function composeActions(project: string, what: string): readonly string[] {
  if (what === 'its containers stay as they are' || what === 'it has no containers left') return []
  if (/^remove the containers of .*; its volumes are kept$/.test(what)) return [`compose down ${project}`]
  if (/^stop /.test(what)) return [`compose stop ${project}`]
  return what.split('; ').map((one) => `compose ${project}: ${one.replace(/ \(.*\)$/, '')}`)
}

/** The fake's words in the forecast's. */
function composeWords(done: string): string {
  const [verb, service = ''] = done.split(' ')
  if (verb === 'make') return `start ${service}`
  if (verb === 'remake') return `recreate ${service}`
  return verb === 'start' ? `start ${service} again` : done
}

function packageActions(name: string, what: string): readonly string[] {
  const isInstalled = /should be (?!and|held)/.test(what) && !/^(?:not held|held, should not be)$/.test(what)
  return [
    ...(isInstalled ? [`apt-get install ${name}`] : []),
    ...(/(?:not held|and held)$/.test(what) ? [`apt-mark hold ${name}`] : []),
    ...(what.endsWith('held, should not be') ? [`apt-mark unhold ${name}`] : []),
  ]
}
