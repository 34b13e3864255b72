import { cbor, devalue, msgpack } from '../../src/serializers/index.js'
import { serializerSuite } from '../../src/testing/serializer-suite.js'

for (const serializer of [msgpack, cbor, devalue]) serializerSuite(serializer, { describe, it })
