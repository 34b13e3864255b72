import assert from 'node:assert/strict'
import { types } from 'node:util'
import { Reference } from '../core/reference.js'

/**
 * Asserts that `actual` is `expected` as a serializer gives it back. Stricter than `assert.deepStrictEqual`: holes
 * are not undefined, keys stand in the same order, and what is one value in `expected` is one value in `actual`.
 */
export function assertSameValue(actual: unknown, expected: unknown): void {
  new Comparison().compare(actual, expected, 'state')
}

class Comparison {
  readonly #twins = new Map<object, object>()
  readonly #actual = new Set<object>()

  compare(actual: unknown, expected: unknown, path: string): void {
    if (typeof expected !== 'object' || expected === null || expected instanceof Reference) {
      assert.ok(Object.is(actual, expected), `${path} is not ${describe(expected)} but ${describe(actual)}`)
      return
    }
    assert.ok(typeof actual === 'object' && actual !== null, `${path} is ${describe(actual)}`)
    const twin = this.#twins.get(expected)
    if (twin !== undefined) {
      assert.equal(actual === twin, true, `${path} is another value than the same one elsewhere`)
      return
    }
    assert.ok(!this.#actual.has(actual), `${path} is the same value as a different one elsewhere`)
    this.#twins.set(expected, actual)
    this.#actual.add(actual)
    this.#compareObjects(actual, expected, path)
  }

  #compareObjects(actual: object, expected: object, path: string): void {
    assert.equal(Object.getPrototypeOf(actual), prototypeOf(expected), `${path} is of another class`)
    if (types.isDate(expected)) {
      assert.ok(Object.is((actual as Date).getTime(), expected.getTime()), `${path} is another date`)
    } else if (types.isRegExp(expected)) {
      assert.equal(String(actual), String(expected), path)
    } else if (types.isMap(expected)) {
      this.#lists([...(actual as typeof expected)].flat(1), [...expected].flat(1), path)
    } else if (types.isSet(expected)) {
      this.#lists([...(actual as typeof expected)], [...expected], path)
    } else if (types.isArrayBuffer(expected)) {
      assertSameBytes(new Uint8Array(actual as ArrayBuffer), new Uint8Array(expected), path)
    } else if (ArrayBuffer.isView(expected)) {
      assertSameBytes(bytesOf(actual as Uint8Array), bytesOf(expected), path)
    } else {
      this.#properties(actual, expected, path)
    }
  }

  #lists(actual: unknown[], expected: unknown[], path: string): void {
    assert.equal(actual.length, expected.length, `${path} has another size`)
    for (const [i, value] of expected.entries()) this.compare(actual[i], value, `${path}#${i}`)
  }

  #properties(actual: object, expected: object, path: string): void {
    assert.deepEqual(Object.keys(actual), Object.keys(expected), `the keys of ${path}`)
    if (Array.isArray(expected)) assert.equal((actual as unknown[]).length, expected.length, `the length of ${path}`)
    for (const key of Object.keys(expected)) {
      this.compare(ownValue(actual, key), ownValue(expected, key), `${path}.${key}`)
    }
  }
}

function prototypeOf(expected: object): unknown {
  if (types.isUint8Array(expected)) return Uint8Array.prototype
  const prototype: unknown = Object.getPrototypeOf(expected)
  return prototype === null ? Object.prototype : prototype
}

function ownValue(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

function assertSameBytes(actual: Uint8Array, expected: Uint8Array, path: string): void {
  assert.ok(Buffer.compare(actual, expected) === 0, `${path} has other bytes`)
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : `${typeof value} ${String(value)}`.slice(0, 200)
}
