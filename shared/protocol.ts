// The wire protocol between agent and server: JSON text frames over one WebSocket the agent dials.
// The list of messages is closed and short on purpose: no server message carries content, a path or a command.
//
// Version 1 (2026-11): challenge, hello, welcome, report, ack, heartbeat, sync, check, refused.
// Added within it: holds; the machine of a hello and the code of a refusal. An agent ignores a message that it does not know, and both sides a key, so that two releases apart work.
import { z } from 'zod'
import { serverHoldSchema } from './hold.ts'
import { hostNameSchema } from './names.ts'
import { reportSchema } from './report.ts'

export const protocolVersion = 1
export const agentSocketPath = '/api/v1/agents/connect'
export const enrollPath = '/api/v1/agents/enrol'
/** Frame limits in bytes: before and after the agent has proved who it is. */
export const frameLimitBeforeHello = 4 * 1024
export const frameLimit = 8 * 1024 * 1024
/** Holds that a server has for one host at a time. */
export const serverHoldsLimit = 200
/** A silent connection is pinged this often; two missed pongs close it. */
export const pingEverySeconds = 20

export const serverMessageSchema = z.discriminatedUnion('type', [
  /** First frame on every connection; `nonce` is 32 fresh random bytes in base64url. */
  z.object({ type: z.literal('challenge'), nonce: z.string().min(43).max(64), protocol: z.number().int() }),
  z.object({ type: z.literal('welcome'), serverVersion: z.string().max(50) }),
  /** The report with this id is stored. */
  z.object({ type: z.literal('ack'), report: z.string().max(64) }),
  /** Look at the remote now. */
  z.object({ type: z.literal('sync') }),
  /** Compare live with baseline now. */
  z.object({ type: z.literal('check') }),
  /**
   * Every hold that the server has for this host, after each welcome and each change: one that is not in it any more is
   * released. The host ends a hold by its own clock, so those whose time was over lately are in it too.
   */
  z.object({ type: z.literal('holds'), holds: z.array(serverHoldSchema).max(serverHoldsLimit) }),
  /** The connection is closed after this one. */
  z.object({
    type: z.literal('refused'),
    reason: z.string().max(500),
    /** `identity-shared`: this host's key is known with another machine. Codes of newer servers are left to `reason`. */
    code: z.enum(['identity-shared']).optional().catch(undefined),
  }),
])

/** Of the agent's machine, so that a copy of it is told from it. Earlier agents leave it out. */
export const machineSchema = z.object({
  /** HMAC-SHA256 of the machine-id, hexadecimal. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  /** The kernel's id of this boot. */
  boot: z.string().min(1).max(64),
  /** Of this process, random. */
  run: z.string().min(1).max(64),
  /** Ed25519 over `machineText(nonce, machine)`, base64. */
  signature: z.string().max(200),
})

export const agentMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocol: z.number().int(),
    host: hostNameSchema,
    agentVersion: z.string().max(50),
    /** Ed25519 over `helloText(nonce, host)`, base64. */
    signature: z.string().max(200),
    machine: machineSchema.optional(),
  }),
  z.object({ type: z.literal('report'), report: reportSchema }),
  /** Nothing changed since the last acknowledged report. */
  z.object({ type: z.literal('heartbeat'), at: z.string().max(40) }),
])

export const enrollRequestSchema = z.object({
  token: z.string().min(10).max(200),
  host: hostNameSchema,
  /** Ed25519 public key, SPKI DER in base64. */
  publicKey: z.string().max(200),
})

export const enrollResponseSchema = z.object({ host: hostNameSchema })

/** Every refused HTTP request answers with this shape. */
export const httpProblemSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() }),
})

export type ServerMessage = z.infer<typeof serverMessageSchema>
export type AgentMessage = z.infer<typeof agentMessageSchema>
export type Machine = z.infer<typeof machineSchema>
export type EnrollRequest = z.infer<typeof enrollRequestSchema>

/** What the agent signs to prove it is `host` on this very connection. */
export function helloText(nonce: string, host: string): string {
  return `plumb-hello-v1\n${nonce}\n${host}`
}

/** What the agent signs to prove that it shows its machine on this very connection. */
export function machineText(nonce: string, { id, boot, run }: Omit<Machine, 'signature'>): string {
  return `plumb-machine-v1\n${nonce}\n${id}\n${boot}\n${run}`
}

/**
 * What the agent signs to read the repository mirror: HTTP basic authentication with the host's name as user and
 * `${issuedAtSeconds}.${base64url signature}` as password; the server accepts it for 5 minutes.
 */
export function mirrorText(host: string, issuedAtSeconds: number): string {
  return `plumb-mirror-v1\n${host}\n${issuedAtSeconds}`
}
