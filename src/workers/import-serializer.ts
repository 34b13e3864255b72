import { PerdureError } from '../core/errors.js'
import type { Serializer } from '../core/serializer.js'
import { loadSerializer, serializerNames } from '../serializers/registry.js'

/** A serializer as another thread can find it. */
export interface SerializerSource {
  readonly serializer: string
  /** Modules to import so that it is known. */
  readonly modules: readonly string[]
}

/**
 * The serializer, in a thread that may not know it yet. A broken module is no matter as long as another one registers
 * it.
 *
 * @throws PerdureError `PERDURE_SERIALIZER`
 */
export async function importSerializer({ serializer, modules }: SerializerSource): Promise<Serializer> {
  let failure: PerdureError | undefined
  for (const module of modules) {
    try {
      await import(module)
    } catch (cause) {
      failure ??= new PerdureError(
        'PERDURE_SERIALIZER',
        `A worker thread cannot import ${module}, given to registerSerializer() as the module of a serializer: ${cause instanceof Error ? cause.message : String(cause)}`,
        { details: { module } },
      )
    }
  }
  if (failure !== undefined && !serializerNames().includes(serializer)) throw failure
  return loadSerializer(serializer)
}
