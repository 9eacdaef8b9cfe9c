// The systemd unit of the agent.

/** glibc's own threshold grows with every large buffer that is freed, and the memory stays with the process: 4 MiB of an agent at rest. */
export const agentEnvironment = { MALLOC_TRIM_THRESHOLD_: '131072' } as const

/** A stop lets an apply that is under way come to its end; NODE_OPTIONS could inject code into a root program. */
export function agentUnit(executable: string): string {
  const environment = Object.entries(agentEnvironment).map(([name, value]) => `${name}=${value}`)
  return `[Unit]
Description=Plumbline agent: keeps this host in sync
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=10min
StartLimitBurst=20

[Service]
Type=exec
ExecStart=${executable} agent
Restart=always
RestartSec=5
KillMode=mixed
TimeoutStopSec=5min
Environment=${environment.join(' ')}
UnsetEnvironment=NODE_OPTIONS NODE_EXTRA_CA_CERTS LD_PRELOAD

[Install]
WantedBy=multi-user.target
`
}
