// `plumb agent`: the loop, its reports and its connection to the server, until a signal. What the systemd service runs.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Logger, pino } from 'pino'
import { placeText, problemLine } from '../../shared/problem.ts'
import type { Report } from '../../shared/report.ts'
import { Asks, type Clock, runLoop } from '../loop.ts'
import { passesOf } from '../pass.ts'
import { writeStatus } from '../state/status.ts'
import { agentVersion } from '../version.ts'
import { type HostOptions, openAgent } from './open.ts'

export type RunAgentOptions = HostOptions & { readonly attached?: boolean }
