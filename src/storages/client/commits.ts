import { randomBytes } from 'node:crypto'
import { type ErrorCode, PerdureError, unpackError } from '../../core/errors.js'
import type { Tid } from '../../core/oid.js'
import type { CommitRequest, CommitResult } from '../../core/storage.js'
import { type Reply, TOKEN_BYTES } from '../../server/protocol/messages.js'
import type { Exchange, ReplyOf } from './exchange.js'

/** The wait before the server is asked once more for an outcome, in ms. */
const PAUSE_MS = 20

/** Errors after which asking again may help. */
const PASSING: ReadonlySet<string> = new Set<ErrorCode>(['PERDURE_BUSY', 'PERDURE_DISCONNECTED', 'PERDURE_TIMEOUT'])

/** What became of a request: the answer, or why there is none. */
type Sent = { readonly reply: Reply } | { readonly lost: PerdureError }

/**
 * Commits a transaction over a connection that may be lost at any moment. If it is lost before the answer has come, the
 * server is asked over a new one what became of the transaction, by its token. So a rejection means that nothing was
 * stored, unless it is `PERDURE_IN_DOUBT`.
 *
 * The request is encoded before this returns its promise.
 *
 * @param limitMs how long to try to learn the outcome
 * @throws PerdureError `PERDURE_DISCONNECTED` if the server has surely not stored it; `PERDURE_IN_DOUBT` if it could
 *   not be asked, or does not know; and what the storage behind it throws
 */
export async function commitSafely(
  exchange: Exchange,
  location: string,
  { base, reads, writes, note = '', user = '', token = randomBytes(TOKEN_BYTES) }: CommitRequest,
  limitMs: number,
): Promise<CommitResult> {
  const sent = await new Promise<Sent>((resolve) => {
    const request = { type: 'commit', base, token, note, user, reads, writes } as const
    exchange.send(request, {
      patient: false,
      part: () => {},
      done: (reply) => resolve({ reply }),
      failed: (lost) => resolve({ lost }),
    })
  })
  if ('reply' in sent) return resultOf(sent.reply)
  if (writes.length === 0) throw notStored(location, sent.lost)
  return learnOutcome(exchange, location, { base, token: Uint8Array.from(token) }, limitMs, sent.lost)
}

function resultOf(reply: Reply): CommitResult {
  if (reply.type === 'committed') return { tid: reply.tid }
  if (reply.type === 'conflicts') return { conflicts: reply.conflicts }
  if (reply.type === 'error') throw unpackError(reply.error)
  throw new PerdureError('PERDURE_PROTOCOL', `The server answered a commit with '${reply.type}'.`)
}

async function learnOutcome(
  exchange: Exchange,
  location: string,
  { base, token }: { readonly base: Tid; readonly token: Uint8Array },
  limitMs: number,
  lost: PerdureError,
): Promise<CommitResult> {
  const until = performance.now() + limitMs
  for (;;) {
    const answer = await askOutcome(exchange, base, token, Math.max(1, until - performance.now()))
    if (!(answer instanceof Error)) {
      if (answer.outcome === 'committed') return { tid: answer.tid }
      throw answer.outcome === 'refused' ? notStored(location, lost) : inDoubt(location, token, lost)
    }
    const isPassing = answer instanceof PerdureError && PASSING.has(answer.code)
    if (!isPassing || performance.now() + PAUSE_MS >= until) throw inDoubt(location, token, answer)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

async function askOutcome(
  exchange: Exchange,
  base: Tid,
  token: Uint8Array,
  limitMs: number,
): Promise<ReplyOf<'outcome'> | Error> {
  try {
    await exchange.connected(limitMs)
    return await exchange.ask<'outcome'>({ type: 'outcome', token, base })
  } catch (error) {
    return error as Error
  }
}

export function notStored(location: string, cause?: PerdureError): PerdureError {
  return new PerdureError(
    'PERDURE_DISCONNECTED',
    `The connection to ${location} was lost. Nothing of the transaction was stored. Abort and run it again.`,
    { details: { peer: location }, ...(cause !== undefined && { cause }) },
  )
}

function inDoubt(location: string, token: Uint8Array, cause: unknown): PerdureError {
  const hex = Buffer.from(token).toString('hex')
  return new PerdureError(
    'PERDURE_IN_DOUBT',
    `The connection to ${location} was lost during a commit, and what became of transaction ${hex} could not be learned. Look at the data before you run it again.`,
    { details: { peer: location, token: hex }, cause },
  )
}
