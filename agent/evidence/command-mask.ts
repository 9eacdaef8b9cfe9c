// Command lines as evidence may tell them: without the values of known secrets, nor what looks like a secret of somebody else's.

import { maskText } from '../../shared/mask-text.ts'
import type { Mask } from '../plan/mask.ts'

export function maskedCommand(command: string, mask: Mask): string {
  // A value too short to be found could be anywhere in it.
  const known = mask.isReliable ? mask.text(command) : (command.split(' ')[0] ?? '')
  return known
    .replace(
      /(\b[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key|credentials?)[\w.-]*(?:\s*[=:]\s*|\s+))("[^"]*"|'[^']*'|\S+)/gi,
      `$1${maskText}`,
    )
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi, `$1${maskText}@`)
    .replace(/(\b(?:authorization:\s*)?(?:bearer|basic)\s+)[^\s'"]+/gi, `$1${maskText}`)
}
