import { parentPort, workerData } from 'node:worker_threads'
import { ConflictError, CorruptionError, PerdureError, packError } from '../../src/core/errors.js'

/** Errors that a worker thread packs and sends, by name. */
const thrown: Record<string, () => unknown> = {
  plain: () => new PerdureError('PERDURE_NO_SPACE', 'The disk is full.', { details: { path: '/db', oid: 7, pid: 3 } }),
  conflict: () => new ConflictError(41, [{ oid: 5, className: 'Account', tid: 42 }]),
  corruption: () => new CorruptionError('/db', 512, 'the checksum differs', { details: { oid: 9 } }),
  foreign: () => new TypeError('x is not a function'),
  text: () => 'just a text',
  nothing: () => undefined,
}

parentPort?.postMessage(packError(thrown[workerData as string]?.()))
