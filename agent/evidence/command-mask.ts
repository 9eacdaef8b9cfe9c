// Masks command lines of evidence: values of known secrets, and whatever looks like the secret of another program.

import { maskText } from '../../shared/mask-text.ts'
import type { Mask } from '../plan/mask.ts'

export function maskedCommand(command: string, mask: Mask): string {
  // Some secret is too short to be masked reliably, so only the program name is kept.
  const known = mask.isReliable ? mask.text(command) : (command.split(' ')[0] ?? '')
  return known
    .replace(
      /(\b[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key|credentials?)[\w.-]*(?:\s*[=:]\s*|\s+))("[^"]*"|'[^']*'|\S+)/gi,
      `$1${maskText}`,
    )
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi, `$1${maskText}@`)
    .replace(/(\b(?:authorization:\s*)?(?:bearer|basic)\s+)[^\s'"]+/gi, `$1${maskText}`)
}
