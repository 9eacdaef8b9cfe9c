// The agent's version: package.json's, put in place by the bundler.
import packageJson from '../package.json' with { type: 'json' }

export const agentVersion: string = packageJson.version
