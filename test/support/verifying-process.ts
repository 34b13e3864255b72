import { isMainThread } from 'node:worker_threads'
import { PerdureError } from '../../src/core/errors.js'
import { encodeRecord } from '../../src/core/record.js'
import type { Serializer } from '../../src/core/serializer.js'
import { registerSerializer } from '../../src/serializers/registry.js'
import { FileStorage } from '../../src/storages/file.js'

/*
 * A process that makes a database with a serializer that does its worst in worker threads, verifies it twice, and
 * prints the outcomes.
 */

function hostile(name: string, decode: () => unknown): Serializer {
  return {
    name,
    encode: () => Uint8Array.of(1),
    decode: () => {
      decode()
      return {}
    },
  }
}

function recurse(depth: number): number {
  return recurse(depth + 1) + 1
}

const serializers = [
  hostile('exiting', () => process.exit(3)),
  hostile('recursing', () => recurse(0)),
  /** Throws behind the back of the task. */
  hostile('late', () => setTimeout(() => Promise.reject(new Error('too late')), 1)),
]
for (const serializer of serializers) registerSerializer(serializer, { module: import.meta.url })

if (isMainThread) {
  const [, , path, name, count, module] = process.argv as [string, string, string, string, string, string?]
  if (module !== undefined) {
    const broken = hostile('broken', () => {})
    registerSerializer(broken, { module })
  }
  const storage = await FileStorage.open(path, { serializer: name, durability: 'os' })
  const writes = Array.from({ length: Number(count) }, (_, oid) => ({
    oid,
    data: encodeRecord('Thing', [], Buffer.of(1)),
  }))
  await storage.commit({ base: 0, reads: [], writes })
  for (let i = 0; i < 2; i++) {
    try {
      const { problems, problemCount } = await storage.verify()
      console.log(`${problemCount} ${problems[0]?.kind} ${problems[0]?.message}`)
    } catch (error) {
      console.log(error instanceof PerdureError ? `${error.code} ${error.message}` : error)
    }
    // What is thrown late is thrown now.
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await storage.close()
}
