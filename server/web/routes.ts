// The table of everything that the server answers over HTTP. What is not here is answered by nothing (a test walks it).
// Beside it there is one WebSocket, of agents: agents/gate.ts.
import { enrollmentRoutes } from './api/enrollment.ts'
import { eventRoute } from './api/events.ts'
import { findingRoutes } from './api/findings.ts'
import { holdRoutes } from './api/holds.ts'
import { readingRoutes } from './api/reading.ts'
import { syncRoutes } from './api/syncing.ts'
import { noSuchAddress } from './api/unknown.ts'
import { whyRoute } from './api/why.ts'
import { gitRoutes } from './git.ts'
import { healthRoute } from './health.ts'
import { installRoutes } from './install/install.ts'
import { pageRoutes } from './pages/routes.tsx'
import type { WebParts } from './parts.ts'
import type { Route } from './route.ts'

export function routesOf(parts: WebParts): readonly Route[] {
  return [
    healthRoute(parts),
    ...installRoutes(parts),
    ...gitRoutes(parts),
    ...enrollmentRoutes(parts),
    ...syncRoutes(parts),
    ...holdRoutes(parts),
    ...readingRoutes(parts),
    ...findingRoutes(parts),
    whyRoute(parts),
    eventRoute(parts),
    noSuchAddress,
    ...pageRoutes(parts),
  ]
}
