// Answers `/why`: one file, a choice of several, or that nothing manages the path.
import type { Context } from 'hono'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import type { PathView, ServiceView } from '../../show/views.ts'
import { hostLink } from './components/links.ts'
import { showPage } from './document.tsx'
import { MessagePage } from './message.tsx'
import type { PageParts } from './parts.ts'
import { WhyChoice, WhyPage } from './why.tsx'

export async function showWhy(c: Context, parts: PageParts): Promise<Response> {
  const asked = c.req.query('path') ?? ''
  const named = c.req.query('host')
  const host = named === undefined ? undefined : hostNameSchema.safeParse(named).data
  const isAnswerable = asked !== '' && (named === undefined || host !== undefined)
  const paths = isAnswerable ? await parts.views.why(asked, { host, history: true, lines: 'all' }) : []
  const [view] = paths
  if (view === undefined) return await showNotManaged(c, parts, { asked, named })
  const isOne = paths.length === 1 && (view.path === asked || view.source === asked)
  const body = isOne ? (
    <WhyPage view={view} host={host} service={await serviceOf(parts, view)} />
  ) : (
    <WhyChoice asked={asked} paths={paths} host={host} showAll={c.req.query('show') === 'all'} />
  )
  return await showPage(c, parts, { title: `Why ${isOne ? view.path : asked}`, section: 'fleet', live: true, body })
}

async function serviceOf({ views }: PageParts, { source }: PathView): Promise<ServiceView | undefined> {
  const [top, name] = source.split('/')
  const service = top === 'services' ? serviceNameSchema.safeParse(name).data : undefined
  return service === undefined ? undefined : await views.service(service)
}

type Unknown = { readonly asked: string; readonly named: string | undefined }

async function showNotManaged(c: Context, parts: PageParts, { asked, named }: Unknown): Promise<Response> {
  const where = named === undefined ? '' : ` on ${named}`
  const body = (
    <MessagePage title="Not managed" text={`Nothing in the repository manages “${asked}”${where}.`}>
      {named !== undefined && (
        <p>
          <a href={hostLink(named)}>{named} as it is now</a>
        </p>
      )}
    </MessagePage>
  )
  return await showPage(c, parts, { title: 'Not managed', section: 'fleet', live: true, status: 404, body })
}
