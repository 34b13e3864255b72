import type { ErrorCode } from '../index.js'

/** What `perdure` ends with. 2 is oclif's, for a command line that makes no sense. */
export const EXIT = {
  failure: 1,
  usage: 2,
  notFound: 3,
  locked: 4,
  damaged: 5,
  conflict: 6,
  unreachable: 7,
  denied: 8,
  unsupported: 9,
  unknownCommand: 127,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  PERDURE_ARGUMENT: EXIT.usage,
  PERDURE_NOT_FOUND: EXIT.notFound,
  PERDURE_OBJECT_MISSING: EXIT.notFound,
  PERDURE_HISTORY: EXIT.notFound,
  PERDURE_LOCKED: EXIT.locked,
  PERDURE_BUSY: EXIT.locked,
  PERDURE_CORRUPTION: EXIT.damaged,
  PERDURE_DECODE: EXIT.damaged,
  PERDURE_NOT_A_DATABASE: EXIT.damaged,
  PERDURE_CONFLICT: EXIT.conflict,
  PERDURE_TIMEOUT: EXIT.unreachable,
  PERDURE_DISCONNECTED: EXIT.unreachable,
  PERDURE_PROTOCOL: EXIT.unreachable,
  PERDURE_PERMISSION: EXIT.denied,
  PERDURE_AUTHENTICATION: EXIT.denied,
  PERDURE_READONLY: EXIT.denied,
  PERDURE_UNSUPPORTED: EXIT.unsupported,
  PERDURE_SERIALIZER: EXIT.unsupported,
  PERDURE_FORMAT_VERSION: EXIT.unsupported,
}

/** With what the process ends after an error of this code. */
export function exitCodeOf(code: ErrorCode): number {
  return BY_CODE[code] ?? EXIT.failure
}
