// The repository for hosts, at the address that git fetches from.
import { mirrorPath } from '../repository/mirror.ts'
import type { WebParts } from './parts.ts'
import type { Call, Route } from './route.ts'

export function gitRoutes({ mirror }: Pick<WebParts, 'mirror'>): readonly Route[] {
  const git = { role: 'host', surface: 'git', body: { kind: 'stream' }, answer: { kind: 'file' } } as const
  return [
    {
      ...{ method: 'GET', path: `${mirrorPath}/info/refs`, ...git },
      handler: (call) =>
        call.context.req.query('service') === 'git-upload-pack'
          ? mirror.advertise(call.context.req.raw, hostOf(call))
          : call.context.notFound(),
    },
    {
      ...{ method: 'POST', path: `${mirrorPath}/git-upload-pack`, ...git },
      handler: (call) => mirror.uploadPack(call.context.req.raw, hostOf(call)),
    },
  ]
}

function hostOf({ caller }: Call): string {
  if (caller.kind !== 'host') throw new TypeError('the mirror is for hosts')
  return caller.host
}
