// Identifies the present boot of the machine.
import { readFileSync } from 'node:fs'

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
