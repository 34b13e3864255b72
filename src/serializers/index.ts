export { Reference } from '../core/reference.js'
export type { ReferenceReader, ReferenceWriter, Serializer, State } from '../core/serializer.js'
export { MAX_DEPTH } from '../core/serializer.js'
export { cbor } from './cbor.js'
export { devalue } from './devalue.js'
export { msgpack } from './msgpack.js'
export {
  loadSerializer,
  type RegisterSerializerOptions,
  registerSerializer,
  serializerModules,
  serializerNames,
} from './registry.js'
