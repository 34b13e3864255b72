import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import type { Snapshot } from '../core/storage.js'
import { HashSum } from './hash-sum.js'
import { OidSet } from './oid-set.js'
import type { TranscodeResult } from './transcoder.js'

/** Adds up what records have turned out to hold. */
export class ContentTally {
  /** How many objects there are. */
  objects = 0
  /** Size of their records, in bytes. */
  bytes = 0
  /** Of the objects' hashes. */
  readonly sum = new HashSum()
  readonly #present = new OidSet()
  readonly #wanted = new OidSet()

  add({ oids, bytes, sum, references }: Omit<TranscodeResult, 'chunk'>): void {
    this.objects += oids.length
    this.bytes += bytes
    this.sum.add(Buffer.from(sum.buffer, sum.byteOffset, sum.byteLength))
    for (const oid of oids) this.#present.add(oid)
    for (const oid of references) this.#wanted.add(oid)
  }

  /** Counts an object, whose hash is added by the caller. */
  addObject(oid: Oid, bytes: number, references: Iterable<Oid>): void {
    this.objects++
    this.bytes += bytes
    this.#present.add(oid)
    for (const target of references) this.#wanted.add(target)
  }

  /** See docs/conversion.md. */
  get hash(): string {
    return this.sum.toString()
  }

  /** An object that is referred to and is not there. */
  get missing(): Oid | undefined {
    return this.#wanted.findOutside(this.#present)
  }
}

/** Says who refers to an object that is not there. */
export async function missingObject(location: string, snapshot: Snapshot, oid: Oid): Promise<PerdureError> {
  for await (const { oids, classes, classNames, referenceEnds, references } of snapshot.scan()) {
    const at = references.indexOf(oid)
    if (at < 0) continue
    const i = referenceEnds.findIndex((end) => at < end)
    const [referrer, className] = [oids[i] as Oid, classNames[classes[i] as number]]
    return new PerdureError(
      'PERDURE_OBJECT_MISSING',
      `${location} is not whole: ${className} ${referrer} refers to object ${oid}, which does not exist.`,
      { details: { oid, referrer } },
    )
  }
  return new PerdureError('PERDURE_OBJECT_MISSING', `${location} is not whole: there is no object ${oid}.`, {
    details: { oid },
  })
}
