import type { ClassRegistry } from './class-registry.js'
import { PerdureError } from './errors.js'
import type { Header } from './header.js'
import { type DecodedRecord, decodeRecord } from './record.js'
import type { Serializer, State } from './serializer.js'
import type { StoredRecord } from './storage.js'

/** Turns stored records into the states of objects. */
export class ObjectReader {
  readonly #serializer: Serializer
  readonly #classes: ClassRegistry

  constructor(serializer: Serializer, classes: ClassRegistry) {
    this.#serializer = serializer
    this.#classes = classes
  }

  /**
   * Gives a ghost its state.
   *
   * @param known what `stored` holds, if that has been found out already
   * @throws PerdureError `PERDURE_DECODE` if the record or the state makes no sense, `PERDURE_CLASS` if the object
   *   is of another class than the reference that led to it said
   */
  fill(header: Header, stored: StoredRecord, known?: DecodedRecord): void {
    const evicted = header.evicted?.deref()
    header.evicted = undefined
    if (evicted !== undefined) {
      header.state = evicted
      return
    }
    const record = known ?? decodeRecord(stored.data)
    const { className } = record
    if (className !== header.info.name && this.#classes.resolve(className) !== header.info) {
      throw new PerdureError(
        'PERDURE_CLASS',
        `Object ${stored.oid} is a ${className}, but a reference to it said ${header.info.name}.`,
        { details: { oid: stored.oid, className } },
      )
    }
    header.lent = false
    header.state = header.info.fromState(this.#decode(stored, record))
  }

  #decode(stored: StoredRecord, record: DecodedRecord): State {
    try {
      return this.#serializer.decode(record.state, record)
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      const { className } = record
      throw new PerdureError(error.code, `State of ${className} ${stored.oid}: ${error.message}`, {
        details: { ...error.details, oid: stored.oid, className },
        cause: error,
      })
    }
  }
}
