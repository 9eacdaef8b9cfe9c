// `npm run lab`: hosts to play with.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { initOf } from './container.ts'
import { entering, environment } from './host.ts'
import { isImageName } from './image.ts'
import { allHosts, makeImages, openLab, release, removeLeftovers } from './lab.ts'
import { addressOf, machineAddress } from './places.ts'
import type { HostRecord } from './records.ts'

const usage = `npm run lab -- up [N] [--image bookworm|trixie-docker|trixie-podman]   boot N more hosts (1)
npm run lab -- images                                     make the base images that are missing
npm run lab -- list [--json]
npm run lab -- shell NAME
npm run lab -- down [NAME]                                stop and remove one, or all`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { image: { type: 'string', default: 'bookworm' }, json: { type: 'boolean', default: false } },
})
const [verb, argument] = positionals
try {
  if (verb === 'up') await up(Number(argument ?? 1), values.image)
  else if (verb === 'images') await makeImages((text) => console.log(`lab: ${text}`))
  else if (verb === 'list') list(values.json)
  else if (verb === 'shell') shell(named(argument))
  else if (verb === 'down') down(argument === undefined ? kept() : [named(argument)])
  else stop(usage)
} catch (error) {
  stop(`lab: ${error instanceof Error ? error.message : error}`)
}

async function up(count: number, image: string): Promise<void> {
  if (!Number.isInteger(count) || count < 1) stop(usage)
  if (!isImageName(image)) stop(`lab: there is no image ${image}\n${usage}`)
  const lab = openLab({ keep: true, say: (text) => console.log(`lab: ${text}`) })
  const taken = new Set(kept().map(({ name }) => name))
  for (let number = 1, left = count; left > 0; number += 1) {
    const name = `host-${number}`
    if (taken.has(name)) continue
    const host = await lab.host(name, image)
    console.log(`lab: ${name} is up at ${host.address}`)
    left -= 1
  }
  lab.close()
  console.log(`lab: this machine is ${machineAddress} to them. Next: npm run lab -- shell NAME, npm run lab -- down`)
}

function list(asJson: boolean): void {
  const hosts = allHosts().map(({ number, name, image, owner, supervisor }) => ({
    name,
    address: addressOf(number),
    image,
    on: supervisor !== null,
    owner: owner?.pid ?? null,
  }))
  if (asJson) console.log(JSON.stringify(hosts, null, 2))
  else if (hosts.length === 0) console.log('lab: no hosts. Next: npm run lab -- up 2')
  for (const { name, address, image, owner } of asJson ? [] : hosts)
    console.log(`${name.padEnd(16)} ${address.padEnd(12)} ${image}${owner === null ? '' : `  (of process ${owner})`}`)
}

function shell({ name, supervisor }: HostRecord): void {
  const init = supervisor === null ? null : initOf(supervisor)
  if (init === null) stop(`lab: ${name} is off`)
  const [program, ...args] = entering(init)
  const env = { ...environment, TERM: process.env['TERM'] ?? 'dumb' }
  process.exitCode = spawnSync(program, [...args, 'bash', '--login'], { stdio: 'inherit', env }).status ?? 1
}

function down(hosts: readonly HostRecord[]): void {
  for (const host of hosts) release(host)
  const leftovers = removeLeftovers()
  const more = leftovers === 0 ? '' : `, and ${leftovers} that a killed run had left`
  console.log(`lab: ${hosts.length} removed${more}`)
}

function named(name: string | undefined): HostRecord {
  const found = allHosts().find((host) => host.name === name)
  return found ?? stop(name === undefined ? usage : `lab: there is no host ${name}. npm run lab -- list`)
}

/** Not those of a test that runs at this moment. */
function kept(): readonly HostRecord[] {
  return allHosts().filter(({ owner }) => owner === null)
}

function stop(text: string): never {
  console.error(text)
  process.exit(1)
}
