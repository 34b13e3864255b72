import { PerdureError } from './errors.js'
import type { Header, ObjectOwner } from './header.js'
import { Reference } from './reference.js'

/** Who can follow the references in states of objects that have no owner yet, but have taken over parts of others. */
const origins = new WeakMap<Header, ObjectOwner>()

/** The reference that stands for an object in states. */
export function referenceTo(header: Header): Reference {
  header.reference ??= new Reference(header.oid, header.info.name, header.object)
  return header.reference
}

/**
 * The object that a reference in the state of `header`'s object points to.
 *
 * @throws PerdureError `PERDURE_STALE` if no connection can say
 */
export function follow(header: Header, reference: Reference): object {
  const owner = header.owner ?? origins.get(header)
  if (owner === undefined) {
    throw new PerdureError(
      'PERDURE_STALE',
      `A reference to ${reference.className} ${reference.oid} cannot be followed: the object that holds it no longer belongs to a connection.`,
      { details: { oid: reference.oid, className: reference.className } },
    )
  }
  return owner.follow(reference)
}

/** Lets references that were in the state of `from`'s object be followed from `to`, into whose state they have been moved. */
export function passOrigin(from: Header, to: Header): void {
  const origin = from.owner ?? origins.get(from)
  if (to.owner === undefined && origin !== undefined) origins.set(to, origin)
}
