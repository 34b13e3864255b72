import { type PerdureError, unpackError } from '../../core/errors.js'
import type { Part, Reply, Request } from '../../server/protocol/messages.js'
import type { Exchange } from './exchange.js'

/**
 * Has the server do something that takes its time.
 *
 * @param onPart called with what the server tells meanwhile, from where it may do anything
 * @param signal gives the work up
 * @throws PerdureError what the server throws; the signal's reason; what `onPart` throws, after which the work is given up
 */
export async function manage(
  exchange: Exchange,
  request: Request,
  onPart: (part: Part) => void,
  signal: AbortSignal | undefined,
): Promise<Reply> {
  signal?.throwIfAborted()
  let cancel = () => {}
  const tell = (part: Part, failed: (reason: unknown) => void) => {
    try {
      onPart(part)
    } catch (error) {
      cancel()
      failed(error)
    }
  }
  try {
    return await new Promise<Reply>((done, failed) => {
      const id = exchange.send(request, {
        patient: true,
        // What the program does when it is told may block this thread; an exchange must not call it in between.
        part: (part) => queueMicrotask(() => tell(part, failed)),
        done: (reply) => (reply.type === 'error' ? failed(reasonOf(unpackError(reply.error), signal)) : done(reply)),
        failed,
      })
      const { connection } = exchange
      cancel = () => exchange.notify({ type: 'cancel', request: id }, connection)
      signal?.addEventListener('abort', cancel, { once: true })
    })
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/** Work that was given up fails for the reason for which it was given up. */
function reasonOf(error: PerdureError, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true ? signal.reason : error
}
