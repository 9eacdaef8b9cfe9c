// Opens the transaction of one service: nothing is done of it yet.
import { RunningContainers } from '../host/running-containers.ts'
import type { ServicePlan } from '../plan/plan.ts'
import type { ApplyHost, Waiting } from '../resources/kind.ts'
import type { ApplyContext, Transaction } from './context.ts'
import { ServiceJournal } from './journal.ts'
import { takePaths } from './shared-changes.ts'

/** `waiting`: what the service waits for, others do not. */
export function openTransaction(servicePlan: ServicePlan, waiting: Waiting, context: ApplyContext): Transaction {
  const { contents, state, host } = context
  const since = context.now()
  const part: ApplyHost = {
    ...host,
    files: host.files.part(),
    contents,
    kept: state.objects.parts,
    // What it waits for comes after its paths: another service may be committed meanwhile.
    waiting: (wait, options) => {
      takePaths(servicePlan, context.taken)
      return waiting(wait, options)
    },
  }
  return {
    servicePlan,
    host: part,
    journal: new ServiceJournal(servicePlan.service, { revision: context.plan.revision, since }, state.journal),
    containers: new RunningContainers(host.run),
    since: Date.now(),
    at: undefined,
    changes: [],
    started: new Set(),
    touched: new Set(),
    saved: new Set(),
  }
}
