import { PerdureError } from '../../core/errors.js'
import type { Oid } from '../../core/oid.js'
import type { RecordWrite } from '../../core/storage.js'
import type { Input } from './input.js'
import { WRITE_OVERHEAD_BYTES } from './limits.js'
import { readWrite, SMALLEST_WRITE_BYTES } from './record.js'

const LENGTH_BYTES = 4

/**
 * Reads the transaction of a commit: its length, and for each object a length, the oid and the record. No writes means
 * that the client gives up. Objects are taken as they arrive, so the memory needed is that for what has arrived.
 *
 * @throws PerdureError `PERDURE_PROTOCOL`, `PERDURE_LIMIT`, `PERDURE_TIMEOUT`
 */
export async function readTransaction(input: Input, limitBytes: number): Promise<RecordWrite[]> {
  const writes: RecordWrite[] = []
  const oids = new Set<Oid>()
  let left = await input.int4()
  let cost = left
  while (left > 0) {
    cost += WRITE_OVERHEAD_BYTES
    if (cost > limitBytes) throw tooLarge(cost, limitBytes)
    const length = left < LENGTH_BYTES ? 0 : await input.int4()
    left -= LENGTH_BYTES + length
    if (length < SMALLEST_WRITE_BYTES || left < 0) {
      throw new PerdureError('PERDURE_PROTOCOL', 'A transaction of the client does not add up to its length.')
    }
    const write = readWrite(await input.read(length))
    if (oids.has(write.oid)) {
      throw new PerdureError('PERDURE_PROTOCOL', `A transaction of the client stores object ${write.oid} twice.`)
    }
    oids.add(write.oid)
    writes.push(write)
  }
  return writes
}

function tooLarge(bytes: number, limit: number): PerdureError {
  return new PerdureError(
    'PERDURE_LIMIT',
    `A transaction of the client takes ${bytes} bytes of memory or more; ${limit} are allowed. Commit more often, or raise the limit.`,
    { details: { bytes, limit } },
  )
}
