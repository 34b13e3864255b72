import type { Oid, Tid } from './oid.js'

/** Every code a {@link PerdureError} can carry. Each has a heading of its own in docs/errors.md. */
export type ErrorCode =
  | 'PERDURE_ARGUMENT'
  | 'PERDURE_AUTHENTICATION'
  | 'PERDURE_BUSY'
  | 'PERDURE_CLASS'
  | 'PERDURE_CLOSED'
  | 'PERDURE_CONFLICT'
  | 'PERDURE_CORRUPTION'
  | 'PERDURE_DECODE'
  | 'PERDURE_DISCONNECTED'
  | 'PERDURE_FOREIGN_OBJECT'
  | 'PERDURE_FORMAT_VERSION'
  | 'PERDURE_HISTORY'
  | 'PERDURE_IN_DOUBT'
  | 'PERDURE_IO'
  | 'PERDURE_LIMIT'
  | 'PERDURE_LOCKED'
  | 'PERDURE_NOT_A_DATABASE'
  | 'PERDURE_NOT_FOUND'
  | 'PERDURE_NO_SPACE'
  | 'PERDURE_OBJECT_MISSING'
  | 'PERDURE_PERMISSION'
  | 'PERDURE_POISONED'
  | 'PERDURE_PROTOCOL'
  | 'PERDURE_READONLY'
  | 'PERDURE_RECORD_TOO_LARGE'
  | 'PERDURE_SERIALIZER'
  | 'PERDURE_STALE'
  | 'PERDURE_THREAD'
  | 'PERDURE_TIMEOUT'
  | 'PERDURE_UNSTORABLE'
  | 'PERDURE_UNSUPPORTED'

/** Where an error happened. Only plain data, so that it crosses threads and sockets unchanged. */
export interface ErrorDetails {
  readonly [name: string]: unknown
  readonly oid?: Oid
  readonly className?: string
  /** A file path; where no file is concerned, the path from the root to an object or a value (`root.ada.tags[2]`). */
  readonly path?: string
  /** A byte offset in the file at `path`, or in the bytes being decoded. */
  readonly offset?: number
  /** The process that stands in the way. */
  readonly pid?: number
}

export interface PerdureErrorOptions {
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

/** The base of every error this package throws on purpose. Programs should branch on {@link code}, not on the message. */
export class PerdureError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: PerdureErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }

  static {
    // On the prototype, so that a logged error does not repeat its own name as a field.
    Object.defineProperty(PerdureError.prototype, 'name', { value: 'PerdureError', configurable: true, writable: true })
  }
}

/** One object that stood in the way of a commit. */
export interface Conflict {
  readonly oid: Oid
  /** Name of the object's class; '' where the storage could not tell. */
  readonly className: string
  /** The transaction that changed the object after the snapshot was taken. */
  readonly tid: Tid
}

/**
 * The commit was refused because objects it read or wrote have changed since its snapshot (`PERDURE_CONFLICT`).
 * Nothing was stored. Call `abort()` and try again; `db.transact()` does both. An undo is refused in the same way if
 * what is to be undone has been changed since.
 */
export class ConflictError extends PerdureError {
  readonly conflicts: readonly Conflict[]
  /** The snapshot at which the refused transaction read; of an undo, the transaction that was to be undone. */
  readonly base: Tid

  /**
   * @param refused what was refused, for the message
   * @param advice what to do, for the message
   */
  constructor(
    base: Tid,
    conflicts: readonly Conflict[],
    refused = 'Commit refused',
    advice = 'Abort and run the transaction again.',
  ) {
    const shown = conflicts
      .slice(0, 5)
      .map((c) => `${c.className || 'object'} ${c.oid} (changed by transaction ${c.tid})`)
    const more = conflicts.length > shown.length ? ` and ${conflicts.length - shown.length} more` : ''
    super('PERDURE_CONFLICT', `${refused}: ${shown.join(', ')}${more} changed after transaction ${base}. ${advice}`, {
      details: { base, conflicts },
    })
    this.base = base
    this.conflicts = conflicts
  }

  static {
    Object.defineProperty(ConflictError.prototype, 'name', {
      value: 'ConflictError',
      configurable: true,
      writable: true,
    })
  }
}

/** Bytes that had been stored durably are no longer what was written (`PERDURE_CORRUPTION`). */
export class CorruptionError extends PerdureError {
  readonly path: string
  /** Byte offset in the file at {@link path} where the damage was noticed. */
  readonly offset: number

  constructor(path: string, offset: number, what: string, options: PerdureErrorOptions = {}) {
    super('PERDURE_CORRUPTION', `${path} is damaged at byte ${offset}: ${what}`, {
      ...options,
      details: { ...options.details, path, offset },
    })
    this.path = path
    this.offset = offset
  }

  static {
    Object.defineProperty(CorruptionError.prototype, 'name', {
      value: 'CorruptionError',
      configurable: true,
      writable: true,
    })
  }
}

/** An error as plain data: what a structured clone or a wire format keeps of it. */
export interface PackedError {
  readonly code: ErrorCode | ''
  readonly name: string
  readonly message: string
  readonly details: ErrorDetails
  readonly stack: string
  readonly cause?: PackedError
}

/** How many causes of causes are packed: an error may be its own cause. */
const MAX_CAUSES = 4

/** Turns any thrown value into plain data, so that its class and code survive a thread or a socket. */
export function packError(error: unknown): PackedError {
  return pack(error, MAX_CAUSES)
}

function pack(error: unknown, causes: number): PackedError {
  const plain = error instanceof Error ? error : new Error(String(error))
  const { code, details } = plain instanceof PerdureError ? plain : { code: '' as const, details: {} }
  const packed = { code, name: plain.name, message: plain.message, details, stack: plain.stack ?? '' }
  return plain.cause === undefined || causes === 0 ? packed : { ...packed, cause: pack(plain.cause, causes - 1) }
}

/** The inverse of {@link packError}: a ConflictError comes back as one. An error that had no code becomes `PERDURE_THREAD`. */
export function unpackError(packed: PackedError): PerdureError {
  const error = rebuild(packed)
  if (packed.stack) error.stack = packed.stack
  if (packed.cause !== undefined) {
    Object.defineProperty(error, 'cause', { value: unpackCause(packed.cause), configurable: true, writable: true })
  }
  return error
}

/** A cause needs no code: what was an ordinary error comes back as one. */
function unpackCause(packed: PackedError): Error {
  if (packed.code !== '') return unpackError(packed)
  const error = new Error(packed.message, packed.cause && { cause: unpackCause(packed.cause) })
  error.name = packed.name
  if (packed.stack) error.stack = packed.stack
  return error
}

function rebuild({ code, name, message, details }: PackedError): PerdureError {
  switch (code) {
    case '':
      return new PerdureError('PERDURE_THREAD', `Unexpected ${name} in another thread: ${message}`, { details })
    case 'PERDURE_CONFLICT':
      return new ConflictError(details['base'] as Tid, details['conflicts'] as Conflict[])
    case 'PERDURE_CORRUPTION': {
      const error = new CorruptionError(details.path ?? '', details.offset ?? 0, '', { details })
      error.message = message
      return error
    }
    default:
      return new PerdureError(code, message, { details })
  }
}

/** The Node error code (`ENOENT`, `EACCES`...) of a thrown value, or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
