import { isMainThread } from 'node:worker_threads'
import { convert } from '../../src/convert.js'
import { PerdureError } from '../../src/core/errors.js'
import { cbor, registerSerializer, type Serializer } from '../../src/serializers/index.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { fillWithStates } from './state-records.js'

/*
 * A process that converts: `dying`, with a serializer that ends its thread; or `stopping`, one that tells its parent when
 * it has begun to copy, and does not go on.
 */

const dying: Serializer = {
  name: 'test.dying',
  encode: () => process.exit(3),
  decode: (bytes, references) => cbor.decode(bytes, references),
}

registerSerializer(dying, { module: import.meta.url })

if (isMainThread) await run()

async function run(): Promise<void> {
  const [, , what, source = '', target = ''] = process.argv
  if (what === 'stopping') {
    await convert(source, target, {
      serializer: 'cbor',
      onProgress: () => {
        process.send?.({})
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      },
    })
    return
  }
  const storage = new MemoryStorage()
  await fillWithStates(
    storage,
    Array.from({ length: 10_000 }, (_, i) => ({ i })),
  )
  try {
    await convert(storage, target, { serializer: dying.name })
  } catch (error) {
    if (!(error instanceof PerdureError)) throw error
    console.log(`${error.code} ${error.message}`)
  }
  process.disconnect?.()
}
