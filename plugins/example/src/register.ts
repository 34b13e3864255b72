import { registerSerializer } from 'perdure/serializers'
import { registerStorage } from 'perdure/storages'
import { jsonLines } from './json-lines-storage.js'
import { v8 } from './v8-serializer.js'

// Worker threads import this module too, to know the same serializers: hence its own URL.
registerSerializer(v8, { module: import.meta.url })
registerStorage(jsonLines)
