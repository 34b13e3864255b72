import { PythonGlobal, PythonObject } from '../pickle/python-values.js'
import { bytesOf } from './persistent-id.js'

/*
 * The pickles of Python's module `datetime`: a call of the class with bytes of fixed places.
 * https://github.com/python/cpython/blob/main/Lib/_pydatetime.py (`_getstate`)
 */

const DATETIME_BYTES = 10
const DATE_BYTES = 4
const TIME_BYTES = 6

/** A moment as Python knows it. */
export interface PythonDatetime {
  /** Its date and time of day, taken as UTC, in ms since 1970. */
  readonly utcMs: number
  /** What is left of the microseconds, 0 to 999. */
  readonly microseconds: number
  /** As Python's `isoformat` has it, without the zone. */
  readonly iso: string
  /** How far its zone is ahead of UTC, in ms; undefined if it has no zone. */
  readonly offsetMs: number | undefined
  /** The zone, if it is one whose offset is not known here. */
  readonly unknownZone: unknown
}

/** Reads `datetime.datetime`; undefined if the object is none, or not as Python writes it. */
export function datetimeOf(object: PythonObject): PythonDatetime | undefined {
  if (!isCall(object, 'datetime.datetime')) return undefined
  const [packed, zone] = object.args
  const bytes = bytesOf(packed)
  if (bytes?.length !== DATETIME_BYTES) return undefined
  const fields = Buffer.from(bytes)
  // The highest bit of the month says which of two equal local times is meant, when clocks are set back.
  const [year, month, day] = [fields.readUInt16BE(0), fields.readUInt8(2) & 127, fields.readUInt8(3)]
  const [hour, minute, second] = [fields.readUInt8(4), fields.readUInt8(5), fields.readUInt8(6)]
  const microsecond = fields.readUIntBE(7, 3)
  if (!isDate(year, month, day) || hour > 23 || minute > 59 || second > 59 || microsecond > 999_999) return undefined
  const utcMs = utc(year, month, day) + ((hour * 60 + minute) * 60 + second) * 1000 + Math.floor(microsecond / 1000)
  const seconds = new Date(utcMs).toISOString().slice(0, 19)
  const fraction = microsecond === 0 ? '' : `.${String(microsecond).padStart(6, '0')}`
  const isAware = zone !== undefined && zone !== null
  const offsetMs = isAware ? offsetOf(zone) : undefined
  return {
    utcMs,
    microseconds: microsecond % 1000,
    iso: `${seconds}${fraction}`,
    offsetMs,
    unknownZone: isAware && offsetMs === undefined ? zone : undefined,
  }
}

/** Reads `datetime.date`, as midnight UTC in ms since 1970. */
export function dateOf(object: PythonObject): number | undefined {
  if (!isCall(object, 'datetime.date')) return undefined
  const bytes = bytesOf(object.args[0])
  if (bytes?.length !== DATE_BYTES) return undefined
  const [high, low, month, day] = bytes as unknown as [number, number, number, number]
  const year = high * 256 + low
  return isDate(year, month, day) ? utc(year, month, day) : undefined
}

/** Reads a `datetime.time` without a zone, as Python's `isoformat` has it. */
export function timeOf(object: PythonObject): string | undefined {
  if (!isCall(object, 'datetime.time') || object.args.length !== 1) return undefined
  const bytes = bytesOf(object.args[0])
  if (bytes?.length !== TIME_BYTES) return undefined
  const fields = Buffer.from(bytes)
  const clock = [fields.readUInt8(0) & 127, fields.readUInt8(1), fields.readUInt8(2)]
  const microsecond = fields.readUIntBE(3, 3)
  const text = clock.map((part) => String(part).padStart(2, '0')).join(':')
  return microsecond === 0 ? text : `${text}.${String(microsecond).padStart(6, '0')}`
}

function isDate(year: number, month: number, day: number): boolean {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false
  return new Date(utc(year, month, day)).getUTCDate() === day
}

/** Not Date.UTC, which takes years below 100 for those of the 20th century. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day)
}

/** The classes of zones that are UTC, whatever they are called with. */
const UTC_ZONES: ReadonlySet<string> = new Set(['pytz._UTC', 'pytz.utc', 'dateutil.tz.tz.tzutc', 'dateutil.tz.tzutc'])

function offsetOf(zone: unknown): number | undefined {
  if (zone instanceof PythonGlobal) return UTC_ZONES.has(zone.dottedName) ? 0 : undefined
  if (!(zone instanceof PythonObject) || !(zone.callable instanceof PythonGlobal)) return undefined
  if (UTC_ZONES.has(zone.callable.dottedName)) return 0
  if (zone.callable.dottedName !== 'datetime.timezone') return undefined
  const [delta] = zone.args
  if (!(delta instanceof PythonObject) || !isCall(delta, 'datetime.timedelta')) return undefined
  const [days, seconds, microseconds] = delta.args
  if (typeof days !== 'number' || typeof seconds !== 'number' || microseconds !== 0) return undefined
  return (days * 86_400 + seconds) * 1000
}

function isCall({ callable }: PythonObject, name: string): boolean {
  return callable instanceof PythonGlobal && callable.dottedName === name
}
