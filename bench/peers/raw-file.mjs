import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'

export const SYNCED = {
  fsync: 'write and fdatasync, nothing else: what the disk can do',
  os: 'write, nothing else',
}

const RECORD_BYTES = 300

/** No store at all: appends 300 bytes for each commit. */
export async function openStore(path, { durability = 'fsync' } = {}) {
  return new RawFile(openSync(path, 'a'), durability)
}

class RawFile {
  #fd
  #durability

  constructor(fd, durability) {
    this.#fd = fd
    this.#durability = durability
  }

  async create() {}

  async keepIds() {}

  async committers(count) {
    const record = Buffer.alloc(RECORD_BYTES, 'x')
    return Array.from({ length: count }, () => async () => {
      writeSync(this.#fd, record)
      if (this.#durability === 'fsync') fdatasyncSync(this.#fd)
    })
  }

  async close() {
    closeSync(this.#fd)
  }
}
