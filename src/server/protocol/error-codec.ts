import type { ErrorCode, ErrorDetails, PackedError } from '../../core/errors.js'
import type { FrameWriter } from './frame-writer.js'
import { JsonFields, readJson, writeJson } from './json-fields.js'
import type { PayloadReader } from './payload-reader.js'

/** Errors may have causes, which may have causes. So many of them are sent. */
const MAX_CAUSES = 4

/** An error never is too long to be sent: beyond this, details and causes are left out and the message is cut. */
const MAX_ERROR_BYTES = 32_768
const SHORT_MESSAGE_LENGTH = 1024

const CODE = /^(PERDURE_[A-Z_]{1,40})?$/

/** Stacks stay at home: they tell a stranger about the machine. */
export function writeError(out: FrameWriter, error: PackedError): void {
  const json = asJson(error, MAX_CAUSES)
  const isShort = Buffer.byteLength(JSON.stringify(json)) <= MAX_ERROR_BYTES
  writeJson(out, isShort ? json : cutShort(error))
}

function cutShort({ code, name, message }: PackedError): object {
  return { code, name: name.slice(0, 100), message: message.slice(0, SHORT_MESSAGE_LENGTH), details: {} }
}

export function readError(input: PayloadReader): PackedError {
  return fromJson(input, readJson(input), MAX_CAUSES)
}

function asJson({ code, name, message, details, cause }: PackedError, causes: number): object {
  return {
    code,
    name,
    message,
    details: sendable(details),
    ...(cause !== undefined && causes > 0 && { cause: asJson(cause, causes - 1) }),
  }
}

/** Details are plain data; should they be something JSON cannot say, the error goes without. */
function sendable(details: ErrorDetails): object {
  try {
    return JSON.parse(JSON.stringify(details, (_, value) => (typeof value === 'bigint' ? String(value) : value)))
  } catch {
    return {}
  }
}

function fromJson(input: PayloadReader, fields: JsonFields, causes: number): PackedError {
  const code = fields.string('code')
  if (!CODE.test(code)) throw input.error('its error has no code')
  const details = fields.object('details').all(isAnything)
  return {
    code: code as ErrorCode | '',
    name: fields.string('name'),
    message: fields.string('message'),
    details: code === 'PERDURE_CONFLICT' ? conflictDetails(new JsonFields(input, details)) : details,
    stack: '',
    ...(fields.has('cause') && causes > 0 && { cause: fromJson(input, fields.object('cause'), causes - 1) }),
  }
}

/** What a ConflictError is built from has to be there. */
function conflictDetails(details: JsonFields): ErrorDetails {
  if (!details.has('conflicts')) return { base: 0, conflicts: [] }
  const conflicts = details.objects('conflicts').map((conflict) => ({
    oid: conflict.id('oid'),
    className: conflict.string('className'),
    tid: conflict.id('tid'),
  }))
  return { base: details.id('base'), conflicts }
}

function isAnything(_value: unknown): _value is unknown {
  return true
}
