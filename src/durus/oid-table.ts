import { randomInt } from 'node:crypto'
import type { Oid } from '../core/oid.js'

const FREE = -1
const SMALLEST = 1024

/**
 * One number for each of many oids: a hash table with open addressing (linear probing) in two typed arrays. It takes 21
 * to 43 bytes for each oid whatever the oids are, so that a file of stray ones cannot make it large; and it is hashed
 * by factors that nobody knows, so that a file cannot make it slow either.
 */
export class OidTable {
  readonly #lowFactor = oddNumber()
  readonly #highFactor = oddNumber()
  #oids = new Float64Array(SMALLEST).fill(FREE)
  #values = new Float64Array(SMALLEST)
  #shift = 32 - Math.log2(SMALLEST)
  #count = 0
  #highest: Oid = FREE

  /** How many oids have a number. */
  get count(): number {
    return this.#count
  }

  /** The largest oid that has a number; -1 if none has. */
  get highest(): Oid {
    return this.#highest
  }

  get(oid: Oid): number | undefined {
    const slot = this.#find(oid)
    return this.#oids[slot] === oid ? this.#values[slot] : undefined
  }

  set(oid: Oid, value: number): void {
    let slot = this.#find(oid)
    if (this.#oids[slot] !== oid) {
      if (this.#count * 4 >= this.#oids.length * 3) {
        this.#grow()
        slot = this.#find(oid)
      }
      this.#oids[slot] = oid
      this.#count++
      if (oid > this.#highest) this.#highest = oid
    }
    this.#values[slot] = value
  }

  /** All numbers, the smallest first. */
  sortedValues(): Float64Array {
    const sorted = new Float64Array(this.#count)
    let next = 0
    for (const [slot, oid] of this.#oids.entries()) {
      if (oid !== FREE) sorted[next++] = this.#values[slot] as number
    }
    return sorted.sort()
  }

  /** The slot of an oid, or the free one where it belongs. */
  #find(oid: Oid): number {
    const oids = this.#oids
    const [low, high] = [oid % 2 ** 32, Math.floor(oid / 2 ** 32)]
    let slot = (Math.imul(low, this.#lowFactor) + Math.imul(high, this.#highFactor)) >>> this.#shift
    while (oids[slot] !== oid && oids[slot] !== FREE) slot = slot + 1 === oids.length ? 0 : slot + 1
    return slot
  }

  #grow(): void {
    const [oids, values] = [this.#oids, this.#values]
    this.#oids = new Float64Array(oids.length * 2).fill(FREE)
    this.#values = new Float64Array(oids.length * 2)
    this.#shift--
    for (let from = 0; from < oids.length; from++) {
      const oid = oids[from] as number
      if (oid === FREE) continue
      const slot = this.#find(oid)
      this.#oids[slot] = oid
      this.#values[slot] = values[from] as number
    }
  }
}

function oddNumber(): number {
  return randomInt(2 ** 31) * 2 + 1
}
