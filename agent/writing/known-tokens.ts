// Tokens that say by their own form what they are, as their issuers document it.

type KnownToken = { readonly what: string; readonly pattern: RegExp }

const known: readonly KnownToken[] = [
  { what: 'a GitHub token', pattern: /\b(?:gh[opusr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})/g },
  { what: 'a GitLab token', pattern: /\bgl(?:pat|dt|rt|soat|ptt|ft|cbt|agent)-[A-Za-z0-9_-]{20,}/g },
  { what: 'an AWS access key', pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  { what: 'a Slack token', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g },
  { what: 'a Slack webhook', pattern: /hooks\.slack\.com\/services\/T[A-Z0-9]+\/B[A-Z0-9]+\/[A-Za-z0-9]{16,}/g },
  { what: 'a Stripe key', pattern: /\b[sr]k_live_[A-Za-z0-9]{16,}/g },
  { what: 'an API key', pattern: /\b(?:sk-(?:ant-|proj-)?[A-Za-z0-9_-]{24,}|AIza[A-Za-z0-9_-]{35})/g },
  { what: 'an npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { what: 'a Docker token', pattern: /\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}/g },
  { what: 'a SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/g },
  { what: 'an age key', pattern: /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/g },
  { what: 'a signed token (JWT)', pattern: /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g },
]

/** Offsets into the line. */
export function knownTokens(
  line: string,
): readonly { readonly what: string; readonly from: number; readonly to: number }[] {
  return known.flatMap(({ what, pattern }) =>
    [...line.matchAll(pattern)].map((match) => ({ what, from: match.index, to: match.index + match[0].length })),
  )
}
