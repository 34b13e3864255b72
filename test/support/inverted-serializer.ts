import { msgpack, registerSerializer, type Serializer } from '../../src/serializers/index.js'

/** A serializer of somebody else: msgpack with every byte inverted. Importing this module registers it. */
export const inverted: Serializer = {
  name: 'test.inverted',
  encode: (state, references) => msgpack.encode(state, references).map((byte) => byte ^ 0xff),
  decode: (bytes, references) =>
    msgpack.decode(
      bytes.map((byte) => byte ^ 0xff),
      references,
    ),
}

registerSerializer(inverted, { module: import.meta.url })
