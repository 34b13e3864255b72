/** How many records a load brings along: at least, at first, and at most. */
const LEAST = 4
const FIRST = 256
const MOST = 1024

/** Room for a record, on the average, in bytes. Larger ones mean that fewer come. */
const BYTES_A_RECORD = 1024

/** Decides how much a load brings along: the more of it turns out to be used, the more the next time. */
export class ReadAhead {
  readonly #isKept: boolean
  #records = FIRST
  #brought = 0
  #used = 0

  /** @param isKept false if there is no memory for what nobody has asked for: then nothing is to come */
  constructor(isKept = true) {
    this.#isKept = isKept
  }

  /** How many records to bring along. */
  get records(): number {
    return this.#isKept ? this.#records : 0
  }

  /** How many bytes they may have. */
  get bytes(): number {
    return this.records * BYTES_A_RECORD
  }

  /** Something is wanted that was not brought along: time to judge what was. */
  missed(): void {
    if (this.#used * 2 >= this.#brought) this.#records = Math.min(MOST, this.#records * 2)
    else if (this.#used * 8 < this.#brought) this.#records = Math.max(LEAST, this.#records / 2)
    this.#brought = 0
    this.#used = 0
  }

  /** So many records have come that nobody has asked for. */
  brought(records: number): void {
    this.#brought += records
  }

  /** One of them was wanted. */
  used(): void {
    this.#used++
  }
}
