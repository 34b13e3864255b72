import type { PerdureError } from '../../core/errors.js'
import { unpackError } from '../../core/errors.js'
import { type Part, type Request, STREAM_WINDOW } from '../../server/protocol/messages.js'
import type { Exchange } from './exchange.js'

/** Parts are granted so many at a time. */
const GRANT = STREAM_WINDOW / 2

/**
 * The parts of the answer to a request, as they are consumed: the server sends no more than a window ahead. What is not
 * wanted any more is cancelled.
 *
 * @param check is called before each part is given; throws if nobody may have it any more
 */
export async function* streamParts(exchange: Exchange, request: Request, check: () => void): AsyncGenerator<Part> {
  const parts: Part[] = []
  let ended = false
  let problem: PerdureError | undefined
  let wake: (() => void) | undefined
  const end = (error?: PerdureError) => {
    ended = true
    problem = error
    wake?.()
  }
  const id = exchange.send(request, {
    patient: true,
    part: (part) => {
      parts.push(part)
      wake?.()
    },
    done: (reply) => end(reply.type === 'error' ? unpackError(reply.error) : undefined),
    failed: end,
  })
  const { connection } = exchange
  let consumed = 0
  try {
    for (;;) {
      check()
      const part = parts.shift()
      if (part !== undefined) {
        if (++consumed % GRANT === 0 && !ended)
          exchange.notify({ type: 'credit', request: id, parts: GRANT }, connection)
        yield part
      } else if (ended) {
        if (problem !== undefined) throw problem
        return
      } else {
        await new Promise<void>((resolve) => (wake = resolve))
      }
    }
  } finally {
    if (!ended) exchange.notify({ type: 'cancel', request: id }, connection)
  }
}
