// The version of this server, as agents and people are told it.
import packageJson from '../package.json' with { type: 'json' }

export const serverVersion: string = packageJson.version
