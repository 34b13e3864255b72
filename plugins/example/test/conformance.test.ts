import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
