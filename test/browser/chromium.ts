// Debian's chromium, started for a test; where there is none, the reason to print.
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const executablePath = '/usr/bin/chromium'

/** Why no browser test can run on this machine; undefined when they can. */
export const chromiumMissing = existsSync(executablePath)
  ? undefined
  : `${executablePath} is missing (Debian: apt-get install chromium)`

export function startChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
