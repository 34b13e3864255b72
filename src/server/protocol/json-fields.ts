import type { FrameWriter } from './frame-writer.js'
import type { PayloadReader } from './payload-reader.js'

/*
 * Messages that are rare, or that may gain fields, are JSON (RFC 8259). What was parsed is looked at field by field,
 * and new objects are built from it, so that nothing gets in that was not asked for.
 */

/** Longest text of a JSON message, in bytes. */
export const MAX_JSON_BYTES = 16 * 1024 * 1024

export function writeJson(out: FrameWriter, value: object): void {
  out.bytes(Buffer.from(JSON.stringify(value)))
}

/** Reads the rest of a payload. */
export function readJson(input: PayloadReader): JsonFields {
  if (input.left > MAX_JSON_BYTES) throw input.error(`its JSON is longer than ${MAX_JSON_BYTES} bytes`)
  const text = input.view(input.left).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text, withoutPrototypes)
  } catch {
    throw input.error('it is not JSON')
  }
  return new JsonFields(input, value)
}

/** No object may bring a `__proto__`, which some innocent assignment could later take for its prototype. */
function withoutPrototypes(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}

/** The fields of one JSON object. All methods throw PerdureError `PERDURE_PROTOCOL` if a field is not what it must be. */
export class JsonFields {
  readonly #input: PayloadReader
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(input: PayloadReader, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw input.error('there is something else where an object must be')
    }
    this.#input = input
    this.#fields = value as Record<string, unknown>
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name)
  }

  string(name: string): string {
    const value = this.#get(name)
    if (typeof value !== 'string') throw this.#wrong(name)
    return value
  }

  number(name: string): number {
    const value = this.#get(name)
    if (typeof value !== 'number') throw this.#wrong(name)
    return value
  }

  /** A whole number from 0 to 2^53 - 1. */
  id(name: string): number {
    const value = this.#get(name)
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.#wrong(name)
    return value as number
  }

  boolean(name: string): boolean {
    const value = this.#get(name)
    if (typeof value !== 'boolean') throw this.#wrong(name)
    return value
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = choices.find((choice) => choice === this.#get(name))
    if (value === undefined) throw this.#wrong(name)
    return value
  }

  object(name: string): JsonFields {
    return new JsonFields(this.#input, this.#get(name))
  }

  /** A list of objects. */
  objects(name: string): JsonFields[] {
    return this.#list(name).map((value) => new JsonFields(this.#input, value))
  }

  strings(name: string): string[] {
    const values = this.#list(name)
    if (!values.every((value) => typeof value === 'string')) throw this.#wrong(name)
    return values
  }

  /** A list of whole numbers from 0 to 2^53 - 1. */
  ids(name: string): number[] {
    const values = this.#list(name) as number[]
    if (!values.every((value) => Number.isSafeInteger(value) && value >= 0)) throw this.#wrong(name)
    return values
  }

  /** All fields whose values are as `isWanted` says. */
  all<T>(isWanted: (value: unknown) => value is T): { [name: string]: T } {
    const entries = Object.entries(this.#fields)
    if (!entries.every((entry): entry is [string, T] => isWanted(entry[1]))) throw this.#wrong('some value')
    return Object.fromEntries(entries)
  }

  #list(name: string): unknown[] {
    const value = this.#get(name)
    if (!Array.isArray(value)) throw this.#wrong(name)
    return value
  }

  #get(name: string): unknown {
    return this.has(name) ? this.#fields[name] : undefined
  }

  #wrong(name: string): Error {
    return this.#input.error(`'${name}' is missing or of the wrong type`)
  }
}
