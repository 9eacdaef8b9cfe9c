// The server's secrets, one file each, and the channel addresses that refer to them.
import { join } from 'node:path'
import { identifierSchema } from '../../shared/names.ts'
import { isPrivate, readRegularFile } from '../../shared/platform/regular-file.ts'
import type { ProblemCode } from '../../shared/problem.ts'
import type { AlertTarget } from '../../shared/repository/alert-target.ts'

export type ChannelAddress =
  /**
   * `byOperator`: the whole address is a secret of this server. Its author is the operator, who may name internal
   * addresses.
   */
  | { readonly kind: 'ready'; readonly url: URL; readonly byOperator: boolean }
  | { readonly kind: 'unusable'; readonly code: ProblemCode; readonly message: string; readonly remedy: string }

const reference = /\$\{\{\s*secrets\.([^\s}]*)\s*\}\}/g

export function addressOf(target: AlertTarget, secretsDirectory: string): ChannelAddress {
  const values = new Map<string, string>()
  for (const [, name = ''] of target.url.matchAll(reference)) {
    const secret = readSecret(secretsDirectory, name)
    if (secret.kind === 'unusable') return secret
    values.set(name, secret.value)
  }
  const text = target.url.replaceAll(reference, (_all, name: string) => values.get(name) ?? '')
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return {
      kind: 'unusable',
      code: values.size === 0 ? 'repository-invalid' : 'secret-missing',
      message: `The address of the ${target.to} channel is not an http(s) URL.`,
      remedy: values.size === 0 ? 'Correct `alerts` in plumb.yaml.' : `Correct ${namesText(values, secretsDirectory)}.`,
    }
  }
  return { kind: 'ready', url, byOperator: /^\s*\$\{\{[^}]*\}\}\s*$/.test(target.url) && values.size === 1 }
}

type Secret = { readonly kind: 'ready'; readonly value: string } | Extract<ChannelAddress, { kind: 'unusable' }>

function readSecret(directory: string, name: string): Secret {
  if (!identifierSchema.safeParse(name).success) {
    const message = `"${name}" is not a secret's name.`
    return { kind: 'unusable', code: 'repository-invalid', message, remedy: 'Correct `alerts` in plumb.yaml.' }
  }
  const file = join(directory, name)
  try {
    const { text, mode } = readRegularFile(file)
    if (!isPrivate({ mode })) {
      return {
        kind: 'unusable',
        code: 'secret-exposed',
        message: `The server's secret "${name}" can be read by other users, so it is not used.`,
        remedy: `Run on the server: chmod 600 ${file}`,
      }
    }
    const value = text.trim()
    return value === '' ? missing(name, file, 'has it, and it is empty') : { kind: 'ready', value }
  } catch {
    return missing(name, file, 'has no such secret')
  }
}

function missing(name: string, file: string, what: string): Secret {
  return {
    kind: 'unusable',
    code: 'secret-missing',
    message: `plumb.yaml sends alerts to \${{ secrets.${name} }}, and the server ${what}.`,
    remedy: `Write the address into ${file} on the server, mode 0600.`,
  }
}

function namesText(values: ReadonlyMap<string, string>, directory: string): string {
  return [...values.keys()].map((name) => join(directory, name)).join(', ')
}
