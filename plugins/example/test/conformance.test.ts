import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { serializerSuite, storageSuite } from 'perdure/testing'
import { JsonLinesStorage } from '../src/json-lines-storage.js'
import { v8 } from '../src/v8-serializer.js'

// It trusts its bytes, so damaged ones are not tried.
serializerSuite(v8, { describe, it }, { mutations: 0 })

let directory = ''
storageSuite({
  name: 'JsonLinesStorage',
  capabilities: ['persistent', 'durable', 'restore'],
  async create({ serializer }) {
    directory = await mkdtemp(join(tmpdir(), 'perdure-example-'))
    return JsonLinesStorage.open(join(directory, 'database.jsonl'), { serializer })
  },
  reopen: (closed) => JsonLinesStorage.open(closed.location),
  cleanup: () => rm(directory, { recursive: true, force: true }),
})

storageSuite({
  name: 'JsonLinesStorage, temporary',
  capabilities: ['durable', 'restore'],
  create: ({ serializer }) => JsonLinesStorage.open(undefined, { serializer }),
})

describe('A temporary JsonLinesStorage', () => {
  it('is there while it is open, and removed when it is closed', async () => {
    const storage = await JsonLinesStorage.open(undefined)
    expect(existsSync(storage.location)).to.equal(true)
    await storage.close()
    expect(existsSync(dirname(storage.location))).to.equal(false)
  })
})
