// The `plumb` command: its verbs, one line each, and the one place where an error becomes a message and an exit code.
import { inspect } from 'node:util'
import { Command, Option } from 'commander'
import { publicTitle, withoutUserInformation } from '../shared/address.ts'
import { logLevels, logLevelVariable } from '../shared/platform/log.ts'
import { createRun } from '../shared/platform/run.ts'
import { PlumbError, problemsOf } from '../shared/problem.ts'
import { rollBackRestart } from './agent-restart.ts'
import { adopt } from './commands/adopt.ts'
import { type AdoptFleetOptions, adoptFleet } from './commands/adopt-fleet.ts'
import { agentDown } from './commands/agent-down.ts'
import { type ApplyOptions, apply } from './commands/apply.ts'
import { check } from './commands/check.ts'
import { defaultState } from './commands/configuration.ts'
import { type DebugBundleOptions, debugBundle } from './commands/debug-bundle.ts'
import { type EnrollOptions, enrollHost } from './commands/enroll.ts'
import { hold, listHolds, release } from './commands/hold.ts'
import { type FleetOptions, holdFleet, listFleetHolds, releaseFleet } from './commands/hold-fleet.ts'
import { type ImportOptions, importService } from './commands/import.ts'
import { type InstallOptions, install } from './commands/install.ts'
import { lint } from './commands/lint.ts'
import { type HostOptions, openAgent, openKept, requireRoot } from './commands/open.ts'
import { outputTo, printFailure, usageOutput } from './commands/output.ts'
import { plan } from './commands/plan.ts'
import { type RestoreOptions, restore } from './commands/restore.ts'
import { type RunAgentOptions, runAgent } from './commands/run-agent.ts'
import { scan } from './commands/scan.ts'
import { status } from './commands/status.ts'
import { why } from './commands/why.ts'
import type { WhyOptions } from './commands/why-asked.ts'
import { takeBackVerb } from './host/restart-guard.ts'
import { openState } from './state/state.ts'
import { agentVersion } from './version.ts'

type Json = { readonly json?: boolean }
type Revision = { readonly revision?: string }
type Scan = { readonly scan?: boolean }
type Full = { readonly full?: boolean }
type Fleet = FleetOptions & { readonly fleet?: boolean }

const title = publicTitle(process.argv)
if (title !== undefined) process.title = title

const program = new Command('plumb')
  .description('Keeps this machine in sync with a git repository.')
  .version(agentVersion)
  .configureOutput(usageOutput)
  .showHelpAfterError()
  .hook('preAction', (_, verb) => requireRoot(verb.opts<{ readonly root?: string }>()))

onHost('check', 'compare what is live here with the repository; exits 2 when anything drifted or is pending')
  .option('--revision <rev>', 'a commit, branch or tag; default: the head of the branch')
  .option('--full', 'hash every file, also those whose stat did not change')
  .action(async (options: HostOptions & Json & Revision & Full) =>
    settle(check(await openAgent(options), options, outputTo(options))),
  )

onHost('plan', 'print exactly what an apply would do; exits 2 when there is something to do')
  .option('--revision <rev>', 'a commit, branch or tag; default: the head of the branch')
  .action(async (options: HostOptions & Json & Revision) =>
    settle(plan((await openAgent(options)).agent, options, outputTo(options))),
  )

onHost('apply', 'apply the repository to this host and repair drift; exits 0 when the host is in sync afterwards')
  .option('--revision <rev>', 'a commit, branch or tag; default: the head of the branch')
  .option('--full', 'hash every file, also those whose stat did not change')
  .option('--allow-rewind', 'accept that the history of the branch was rewritten')
  .option('--allow-branch-change', "accept that the remote's HEAD names another branch")
  .option('--allow-removal', "accept that most of this host's services leave it")
  .action(async (options: HostOptions & Json & ApplyOptions) =>
    settle(apply((await openAgent(options)).agent, options, outputTo(options))),
  )

onHost('status', 'print what the last check of this host found, without checking again; exits as check does').action(
  async (options: HostOptions & Json) => settle(status(options.state, outputTo(options), await agentDown(options))),
)

onFleet('hold', 'pause a service for a time: no apply, no repair, no drift alert; without SERVICE: list the holds')
  .argument('[service]', "its name; '*' for all")
  .option('--for <duration>', 'how long: 30m, 2h, 1d; at most 14d')
  .option('--why <text>', 'the reason, for whoever meets the hold')
  .action(async (service: string | undefined, options: HostOptions & Json & Fleet) =>
    settle(holdVerb(service, options)),
  )

onFleet('release', 'end a hold before its time')
  .argument('<service>', "its name; '*' for a hold on all")
  .action(async (service: string, options: HostOptions & Json & Fleet) => settle(releaseVerb(service, options)))

program
  .command('restore')
  .description('what applies overwrote or removed that the repository never had: list it, or bring a version back')
  .argument('[path]', 'as on the host; default: everything that was kept is listed')
  .option('--at <time>', 'which version to bring back: a time as listed, the beginning of one, or latest')
  .option('--to <path>', 'write it there instead; default: where it was')
  .option('--print', 'print its content instead')
  .option('--root <dir>', 'a sandbox: the host is below it', '/')
  .option('--state <dir>', 'what the agent remembers', defaultState)
  .option('--json', 'print JSON')
  .action((path: string | undefined, options: RestoreOptions & Json) =>
    settle(restore(path, options, outputTo(options))),
  )

program
  .command('lint')
  .description('check a repository before it is committed: every problem at once, with file, line and column')
  .argument('[dir]', 'the repository', '.')
  .option('--strict', 'exit with 1 on warnings too')
  .option('--json', 'print JSON')
  .action((directory: string, { json, strict }: Json & { readonly strict?: boolean }) =>
    settle(lint(directory, { json: json === true, strict: strict === true })),
  )

onHost('import', "make a service's directory from what is on this host, for the repository to take over")
  .argument('[name]', 'of the new service')
  .argument('[paths...]', 'files and directories of this host')
  .option('--scan', 'only tell what is configured by hand here and not in the repository yet')
  .option('--into <dir>', 'the work tree of the repository', '.')
  .option('--unit <unit>', 'a unit it has; may be repeated', oneMore)
  .option('--package <package>', 'a package it needs; may be repeated', oneMore)
  .option('--compose <project>', 'a compose project: its directory, or its name when it runs')
  .option('--all', 'files that are as their package has them, too')
  .option('--secrets', 'put names in the place of likely secrets and keep the values on this host')
  .option('--with-secret <path>', 'the same for this file alone; PATH=NAME gives the name; may be repeated', oneMore)
  .option('--not-secret <path>', 'take this file as it is; may be repeated', oneMore)
  .option('--leave <path>', 'leave this path out; may be repeated', oneMore)
  .option('--assign', 'add the service to this host in plumb.yaml')
  .option('--dry-run', 'write nothing')
  .option('--force', 'replace a service of that name')
  .action((name: string | undefined, paths: readonly string[], options: HostOptions & ImportOptions & Json & Scan) =>
    settle(
      options.scan === true
        ? scan(options, outputTo(options))
        : importService(name, paths, { options, output: outputTo(options) }),
    ),
  )

onHost('adopt', 'make what was changed by hand on this host a commit of the repository, on a branch of its own')
  .argument('<target>', 'a path of this host, a unit (unit:nginx.service), or a service with all that drifted of it')
  .option('-m, --message <why>', 'why it was changed; asked for when left out')
  .option('--clone <dir>', 'commit in your clone, and push from it; default: a temporary one')
  .option('--remote <name-or-url>', 'push there; default: where the repository comes from')
  .option('--to <branch>', "the new branch's name")
  .option('--author <name-and-mail>', "'Anna <anna@example.org>'; default: as your git knows you")
  .option('--no-push', 'commit in your clone, or write a patch, and push nothing')
  .option('--not-secret <path>', 'what looks like a secret in this file is none; may be repeated', oneMore)
  .option('--dry-run', 'print what would be committed')
  .option('--server <url>', 'what was changed on another host, --host, as this server knows it; to be run in a clone')
  .option('--certificate <file>', 'with --server: its PEM certificate, when it is self-signed')
  .option('--token-file <file>', 'with --server: a file with the operator token; default: PLUMB_TOKEN')
  .action((target: string, options: AdoptFleetOptions & Json) =>
    settle((options.server === undefined ? adopt : adoptFleet)(target, options, outputTo(options))),
  )

program
  .command('why')
  .description('the commit that gave a managed path its present content, or one of its lines')
  .argument('<path[:line]>', 'as on the host (/etc/motd) or in the repository; unit:NAME: its file')
  .option('--lines', 'the commit behind each line')
  .option('--repo <dir>', 'a clone with its history')
  .option('--server <url>', 'ask this server; default: the one this host reports to')
  .option('--certificate <file>', 'PEM certificate of the server, when it is self-signed')
  .option('--host <name>', 'only as this host has it')
  .option('--root <dir>', 'where the configuration of this host is', '/')
  .option('--state <dir>', 'what the agent remembers, its key among it', defaultState)
  .option('--json', 'print JSON')
  .action((path: string, options: WhyOptions & Json) => settle(why(path, options, outputTo(options))))

onHost('agent', 'keep this host in sync until stopped; what the systemd service runs')
  .option('--attached', 'stop when standard input ends')
  .addOption(
    new Option('--log-level <level>', 'what is logged').choices(logLevels).env(logLevelVariable).default('info'),
  )
  .action((options: RunAgentOptions) => settle(runAgent(options)))

program
  .command('debug')
  .description("collect this host's state for a bug report")
  .command('bundle')
  .description('write state, settings, log and figures to one tar.gz, secrets masked; changes nothing else')
  .option('--output <file>', 'default: plumb-debug-HOST-TIME.tar.gz in this directory')
  .option('--root <dir>', 'a sandbox: the host is below it', '/')
  .option('--state <dir>', 'what the agent remembers', defaultState)
  .option('--json', 'print JSON')
  .action((options: DebugBundleOptions & Json) => settle(debugBundle(options, outputTo(options))))

program
  .command('enroll')
  .description('make this host known to a server; the one-time token is read from PLUMB_TOKEN')
  .requiredOption('--server <url>', 'the server')
  .option('--host <name>', "default: the machine's own name")
  .option('--certificate <file>', 'PEM certificate of the server, when it is self-signed')
  .option('--state <dir>', 'what the agent remembers', defaultState)
  .action((options: EnrollOptions) => settle(enrollHost(options, outputTo({}))))

program
  .command(takeBackVerb, { hidden: true })
  .requiredOption('--state <dir>')
  .action((options: { readonly state: string }) =>
    rollBackRestart({ root: '/', run: createRun() }, openState(options.state)),
  )

onHost('install', 'make this machine a host: pin its repository, enroll, apply, and keep the agent running')
  .option('--server <url>', 'the server to report to; the one-time token is read from PLUMB_TOKEN')
  .option('--certificate <file>', 'PEM certificate of the server, when it is self-signed')
  .action((options: InstallOptions & Json) => settle(install(options, outputTo(options))))

program.parseAsync().catch((thrown: unknown) => {
  printFailure(thrown instanceof PlumbError ? `plumb: ${thrown.message}` : withoutUserInformation(inspect(thrown)))
  // Who asked for a document gets one, also of what went wrong.
  outputTo({ json: process.argv.includes('--json') }).print({ json: { problems: problemsOf(thrown) }, text: [] })
  process.exitCode = 1
})

/** A verb that works on this host, with the options all of them share. */
function onHost(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--repo <dir-or-url>', 'the fleet repository; default: the one this host follows')
    .option('--branch <name>', "default: the branch that the remote's HEAD named at the first apply")
    .option('--host <name>', "the host's name in plumb.yaml; default: the one it was installed as")
    .option('--root <dir>', 'a sandbox: everything below it, no unit or container is started', '/')
    .option('--state <dir>', 'what the agent remembers', defaultState)
    .option('--json', 'print JSON')
}

/** Not variadic, which would take the service for one more pattern. */
function oneMore(pattern: string, before: readonly string[] = []): readonly string[] {
  return [...before, pattern]
}

/** A verb on this host or, by its server, on many. */
function onFleet(name: string, description: string): Command {
  return onHost(name, description)
    .option('--fleet', 'on the hosts of the fleet, by the server; the operator token is read from PLUMB_TOKEN')
    .option('--hosts <pattern>', 'as --fleet, for hosts so named only, such as web-*; may be repeated', oneMore)
    .option('--server <url>', 'with --fleet: ask this server; default: the one this host reports to')
    .option('--certificate <file>', 'with --fleet: PEM certificate of the server, when it is self-signed')
    .option('--token-file <file>', 'with --fleet: a file with the operator token')
}

async function holdVerb(service: string | undefined, options: HostOptions & Json & Fleet): Promise<number> {
  const output = outputTo(options)
  if (isForFleet(options))
    return await (service === undefined ? listFleetHolds(options, output) : holdFleet(service, options, output))
  const host = await openKept(options, { isNew: service !== undefined })
  if (service !== undefined) return await hold(host, service, options, output)
  if (options.for === undefined && options.why === undefined) return listHolds(host, output)
  throw new PlumbError({ code: 'usage', message: 'Hold what?', remedy: 'plumb hold SERVICE --for 2h --why "..."' })
}

async function releaseVerb(service: string, options: HostOptions & Json & Fleet): Promise<number> {
  const output = outputTo(options)
  if (isForFleet(options)) return await releaseFleet(service, options, output)
  return await release(await openKept(options, { isNew: false }), service, output)
}

/** Hosts that are named are never this one alone. */
function isForFleet({ fleet, hosts }: Fleet): boolean {
  return fleet === true || hosts !== undefined
}

async function settle(outcome: number | Promise<number>): Promise<void> {
  process.exitCode = await outcome
}
