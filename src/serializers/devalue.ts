import { type ParseOptions, type StringifyOptions, stringify, unflatten } from 'devalue'
import { PerdureError } from '../core/errors.js'
import { Reference } from '../core/reference.js'
import type { ReferenceReader, ReferenceWriter, Serializer, State } from '../core/serializer.js'
import { damage } from './damage.js'
import { checkFlat, MAX_DECIMAL_BIGINT } from './devalue-check.js'
import { setOwn } from './own-property.js'
import { PatternBudget } from './pattern-budget.js'
import { bigintOf, emptyArray } from './raise.js'

const PROTO = '__proto__'
const ESCAPE = '~'

/** How states are taken apart, where that differs from what devalue does by itself. */
const writing: NonNullable<StringifyOptions['operations']> = {
  shapeOf: (object: object) => ({ kind: 'plain', keys: Object.keys(object).map(escapeKey) }),
  get: (container: State, key: string | number) => container[typeof key === 'string' ? unescapeKey(key) : key],
  isThenable: () => false,
  // The elements alone: devalue would write all of the buffer behind them.
  viewInfo: (view: NodeJS.TypedArray) => {
    const { buffer, byteLength, byteOffset, length } = view
    const copy = buffer.slice(byteOffset, byteOffset + byteLength)
    return { buffer: copy, byteOffset: 0, byteLength, length, bufferByteLength: byteLength }
  },
}

/** How states are put together again. */
const reading: NonNullable<ParseOptions['operations']> = {
  set: (container: State | unknown[], key: string | number, value: unknown) => {
    if (typeof key === 'string') setOwn(container as State, unescapeKey(key), value)
    else (container as unknown[])[key] = value
  },
  createSparseArray: (length: number) => emptyArray(length, 0),
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** JSON text, written by devalue: the one to read with the eye and with any other tool. */
export const devalue: Serializer = {
  name: 'devalue',
  encode(state: State, references: ReferenceWriter): Uint8Array {
    const reducers = {
      // One more than the position, because devalue takes 0 to mean that this is no reference.
      Reference: (value: unknown) => value instanceof Reference && references.position(value) + 1,
      BigHex: (value: unknown) => typeof value === 'bigint' && isLong(value) && value.toString(16),
    }
    const patterns = new PatternBudget()
    const regExpInfo = (regExp: RegExp) => {
      patterns.write(regExp)
      return { source: regExp.source, flags: regExp.flags }
    }
    return Buffer.from(stringify(state, reducers, { operations: { ...writing, regExpInfo } }))
  },
  decode(bytes: Uint8Array, references: ReferenceReader): State {
    const flat = parseText(bytes)
    checkFlat(flat, references.count)
    const patterns = new PatternBudget()
    const fromRegExpInfo = (source: string, flags = '') => patterns.compile(source, flags)
    const revivers = { Reference: (number: number) => references.at(number - 1), BigHex: bigintOf }
    try {
      return unflatten(flat as never[], revivers, { operations: { ...reading, fromRegExpInfo } }) as State
    } catch (error) {
      throw error instanceof PerdureError ? error : damage('a value is malformed', undefined, error)
    }
  },
}

function parseText(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch (error) {
    throw damage('it is not JSON', undefined, error)
  }
}

/** devalue refuses the key `__proto__`, so it is written `~__proto__`, that one `~~__proto__`, and so on. */
function escapeKey(key: string): string {
  return isEscaped(key) ? ESCAPE + key : key
}

function unescapeKey(key: string): string {
  return key.startsWith(ESCAPE) && isEscaped(key) ? key.slice(ESCAPE.length) : key
}

function isEscaped(key: string): boolean {
  return key.endsWith(PROTO) && /^~*__proto__$/.test(key)
}

const LONG = 10n ** BigInt(MAX_DECIMAL_BIGINT)

function isLong(value: bigint): boolean {
  return value >= LONG || value <= -LONG
}
