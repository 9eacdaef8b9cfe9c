import { describe, expect, test } from 'vitest'
import { dashboard, textOf } from './dashboard.ts'
import { exampleFleet } from './fixtures.ts'

const address = '/why?path=/etc/nginx/nginx.conf'

describe('the page of a path', () => {
  test('shows the last commit with its whole message, and beside each run of lines the commit behind it', async () => {
    const html = await dashboard().html(address)
    const text = textOf(html)
    expect(text).toContain('in the repository services/nginx/files/etc/nginx/nginx.conf')
    expect(text).toContain('The last commit nginx: raise worker_connections to 2048 The limit was hit twice this week')
    expect(text).toContain('c3580aa Ines Marchetti 9 d ago base: keep root logins off')
    expect(html).toMatch(/<tr id="L7" class="first">.*<a href="#L7">7<\/a>.*worker_connections 2048;/s)
    expect(html.match(/<details id="commit-of-L/g)).toHaveLength(6)
    expect(html).toMatch(/<details id="commit-of-L7">.*?Measured: 1,400 connections at peak\..*?<\/details>/s)
    expect(text).toContain('as services/web/files/etc/nginx/nginx.conf')
  })

  test('is plain text, whatever stands in a line, a message or a name', async () => {
    const example = exampleFleet(new Date('2026-11-23T03:12:00Z'))
    const [path] = example.paths
    if (path?.blame?.kind !== 'lines' || path.why === undefined) throw new Error('the fixture has lines')
    const evil = '<img src=x onerror=alert(1)>'
    const commits = path.blame.commits.map((commit) => ({
      ...commit,
      author: evil,
      message: `${evil}\n\n${evil}`,
      subject: evil,
    }))
    const runs = path.blame.runs.map((run) => ({ ...run, lines: run.lines.map(() => evil), formerly: evil }))
    const planted = {
      ...path,
      path: `/etc/${evil}`,
      source: `services/${evil}/x`,
      blame: { ...path.blame, commits, runs },
    }
    const html = await dashboard({}, { ...example, paths: [planted] }).html(
      `/why?path=${encodeURIComponent(planted.path)}`,
    )
    expect(html).not.toContain('<img src=x')
    expect(textOf(await dashboard().html(address))).toContain('‹U+202E›')
  })

  test('leads to what happened to it on each host, and without a host tells none of it', async () => {
    const html = await dashboard().html(address)
    expect(html).toContain('href="/why?path=services%2Fnginx%2Ffiles%2Fetc%2Fnginx%2Fnginx.conf&amp;host=web-2"')
    expect(html).not.toContain('anna from 10.0.0.5')
  })

  test('shows on a host how it is now and what happened to it, newest first', async () => {
    const html = await dashboard().html(`${address}&host=web-2`)
    const text = textOf(html)
    expect(text).toContain(
      'On web-2 nginx applied at 4fe9c21 1 h 35 min ago drift since 12 min ago : /etc/nginx/nginx.conf',
    )
    expect(html).toContain('href="/hosts/web-2/drift?resource=file%3A%2Fetc%2Fnginx%2Fnginx.conf"')
    const kinds = [...html.matchAll(/<li class="is-([\w-]+)"><time/g)].map(([, kind]) => kind)
    expect(kinds).toEqual(['drifted', 'put-right', 'applied', 'hold-ended', 'drifted-on', 'held', 'drifted'])
    expect(text).toContain('logged in then: anna from 10.0.0.5')
    expect(text).toContain('held by ines@web-2 until')
    expect(textOf(await dashboard().html(`${address}&host=web-1`))).toContain(
      'The host has not said anything of it yet.',
    )
  })

  test('cuts a very long file and says so, and says why another has no lines', async () => {
    const example = exampleFleet(new Date())
    const [path] = example.paths
    if (path?.blame?.kind !== 'lines') throw new Error('the fixture has lines')
    const [run] = path.blame.runs
    if (run === undefined) throw new Error('the fixture has a run')
    const runs = [{ ...run, lines: Array.from({ length: 5003 }, (_, line) => `line ${line}`) }]
    const long = { ...example, paths: [{ ...path, blame: { ...path.blame, runs } }] }
    const html = await dashboard({}, long).html(address)
    expect(html).toContain('id="L5000"')
    expect(html).not.toContain('id="L5001"')
    expect(textOf(html)).toContain('3 more lines are not shown here')

    const binary = { ...example, paths: [{ ...path, blame: { kind: 'not-text' as const } }] }
    expect(textOf(await dashboard({}, binary).html(address))).toContain('Not a text')
  })

  test('offers a choice below a directory, and keeps the host', async () => {
    const html = await dashboard().html('/why?path=/etc/nginx/conf.d&host=web-2')
    expect(textOf(html)).toContain('/etc/nginx/conf.d 2 paths')
    expect(html).toContain(
      'href="/why?path=services%2Fnginx%2Ffiles%2Fetc%2Fnginx%2Fconf.d%2Fgzip.conf&amp;host=web-2"',
    )
  })

  test.each(['/why', '/why?path=', '/why?path=/etc/passwd', `${address}&host=<b>`])(
    'answers %s with 404',
    async (asked) => {
      const answer = await dashboard().get(asked)
      expect(answer.status).toBe(404)
      expect(await answer.text()).not.toContain('<b>”')
    },
  )

  test('is for readers only', async () => {
    const answer = await dashboard({ mayRead: false }).get(address)
    expect(answer.status).toBe(302)
    expect(answer.headers.get('location')).toContain('/login')
  })
})

test('every place that names a managed path leads to it', async () => {
  const source = 'services%2Fnginx%2Ffiles%2Fetc%2Fnginx%2Fnginx.conf'
  const onHost = `/why?path=${source}&amp;host=web-2"`
  expect(await dashboard().html('/services/nginx')).toContain(`/why?path=${source}"`)
  expect(await dashboard().html('/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf')).toContain(onHost)
  const host = await dashboard().html('/hosts/web-2')
  expect(host.split(onHost).length - 1).toBeGreaterThanOrEqual(2)
})
