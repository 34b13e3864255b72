/**
 * A 64-bit object identifier. In memory it is a JavaScript number, so at most 2^53 - 1; on disk and on the
 * wire it takes eight bytes. Oid 0 is the root. An oid is never used for a second object.
 */
export type Oid = number

/**
 * A 64-bit transaction identifier, held like an {@link Oid}. The first commit of a storage has tid 1 and each
 * later one the next number, so `tid` also counts transactions. Tid 0 is the empty storage before any commit.
 */
export type Tid = number

/** The root object of every database. */
export const ROOT_OID: Oid = 0

/** The largest oid, tid or file offset that can be represented exactly. */
export const MAX_ID = Number.MAX_SAFE_INTEGER

/** Whether a value can be an oid or a tid. */
export function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID
}
