// Syncs over HTTP: of all hosts, or of one.
import { notFound } from '../errors.ts'
import { hostParameter } from '../parameters.ts'
import type { WebParts } from '../parts.ts'
import { apiRoute, type Route } from '../route.ts'
import { hostSyncSchema, syncSchema } from './answers.ts'

export function syncRoutes({ loop, views }: Pick<WebParts, 'loop' | 'views'>): readonly Route[] {
  const unknownHost = (name: string) => `host "${name}"`
  return [
    apiRoute('POST', { path: '/api/v1/sync', role: 'syncer', answer: syncSchema, handler: () => loop.syncAll() }),
    apiRoute('POST', {
      path: '/api/v1/hosts/:host/sync',
      role: 'syncer',
      answer: hostSyncSchema,
      async handler({ context }) {
        const host = hostParameter(context, unknownHost)
        if ((await views.host(host)) === undefined) throw notFound(unknownHost(host))
        const answer = await loop.syncHost(host)
        return { host, connected: answer !== 'not-connected', alreadyAsked: answer === 'already-asked' }
      },
    }),
  ]
}
