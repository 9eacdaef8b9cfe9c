// The conditions of the fleet as a whole, as a table like that of the hosts (host-conditions.ts).
import type { Condition, FleetFacts, Found } from './facts.ts'
import { lineOf, linesOf } from './problem-text.ts'

export const fleetConditions: readonly Condition<[FleetFacts]>[] = [
  { kind: 'repository-invalid', severity: 'critical', found: repositoryInvalid },
  { kind: 'repository-unreachable', severity: 'warning', found: repositoryUnreachable },
  { kind: 'enrollment-refused', severity: 'warning', found: enrollmentRefused },
  { kind: 'channel-unusable', severity: 'warning', found: channelUnusable },
  { kind: 'database-set-aside', severity: 'critical', found: databaseQuarantined },
]

function repositoryInvalid({ invalid }: FleetFacts): readonly Found[] {
  if (invalid.length === 0) return []
  return [
    {
      key: 'repository-invalid',
      title: 'The repository is invalid',
      text: linesOf(invalid),
      remedy:
        'Fix it and push. Every host keeps the last good revision until then; `plumb lint` finds this before a push.',
    },
  ]
}

function repositoryUnreachable({ unreachable }: FleetFacts): readonly Found[] {
  if (unreachable === undefined) return []
  return [
    {
      key: 'repository-unreachable',
      title: 'The server cannot fetch the repository',
      text: lineOf(unreachable),
      remedy: unreachable.remedy ?? 'The server retries; hosts keep their current revision.',
    },
  ]
}

function enrollmentRefused({ refusedEnrollments }: FleetFacts): readonly Found[] {
  return refusedEnrollments.map(({ cause, host, reason, address }) => ({
    key: `enrollment-refused:${cause}`,
    host,
    title: `An enrollment as ${host} was refused`,
    text: `A client at ${address} tried to enroll as ${host} with a token of this server: ${reason}.`,
    remedy: `If the machine was reinstalled, remove the host and use a new install line. If you do not know the attempt, find out who has the token.`,
  }))
}

function channelUnusable({ channelProblems }: FleetFacts): readonly Found[] {
  return channelProblems.map(({ key, message, remedy }) => ({
    key: `channel-unusable:${key}`,
    title: 'Alerts cannot be sent to a channel of plumb.yaml',
    text: message,
    remedy,
  }))
}

function databaseQuarantined({ quarantinedDatabases }: FleetFacts): readonly Found[] {
  return quarantinedDatabases.map((file) => ({
    key: `database-set-aside:${file}`,
    title: "The server's database was damaged and has been quarantined",
    text: `The damaged file is ${file}. The server runs on a new, empty database: no host is enrolled in it.`,
    remedy: 'Stop the server and restore a backup as plumb.sqlite, or enroll the hosts again; then move the file away.',
  }))
}
