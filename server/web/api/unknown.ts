// Every other address of the API. That there is none, only readers are told.
import { RefusedRequest } from '../errors.ts'
import type { Route } from '../route.ts'

export const noSuchAddress: Route = {
  ...{ method: 'ALL', path: '/api/v1/*', role: 'reader', surface: 'api' },
  ...{ body: { kind: 'none' }, answer: { kind: 'not-found' } },
  handler() {
    throw new RefusedRequest({ status: 404, code: 'not-found', message: 'The API has no such address.' })
  },
}
