import { PerdureError } from '../core/errors.js'
import type { Serializer } from '../core/serializer.js'
import { cbor } from './cbor.js'
import { devalue } from './devalue.js'
import { msgpack } from './msgpack.js'

const NAME = /^[a-z0-9._-]{1,31}$/

const serializers = new Map<string, Serializer>([msgpack, cbor, devalue].map((each) => [each.name, each]))
const modules = new Set<string>()

export interface RegisterSerializerOptions {
  /**
   * URL of a module that registers the serializer when it is imported, such as `import.meta.url` of the one that
   * calls. Worker threads import it: each has a registry of its own.
   */
  readonly module?: string | URL
}

/**
 * Makes a serializer known by its name, so that databases can be created and opened with it. To register the same
 * one again does nothing more.
 *
 * @throws PerdureError `PERDURE_SERIALIZER` if another one has the name; `PERDURE_ARGUMENT` if it is no serializer
 *
 * @example
 * registerSerializer(zipped, { module: import.meta.url })
 * const db = await open('bank.perdure', { serializer: 'zipped' })
 */
export function registerSerializer(serializer: Serializer, options: RegisterSerializerOptions = {}): void {
  checkSerializer(serializer)
  const { name } = serializer
  const known = serializers.get(name)
  if (known !== undefined && known !== serializer) {
    throw new PerdureError('PERDURE_SERIALIZER', `There is another serializer named "${name}". Choose another name.`)
  }
  const module = options.module === undefined ? undefined : moduleUrl(options.module)
  serializers.set(name, serializer)
  if (module !== undefined) modules.add(module)
}

/**
 * The serializer named `name`.
 *
 * @throws PerdureError `PERDURE_SERIALIZER` if there is none
 */
export function findSerializer(name: string): Serializer {
  const serializer = serializers.get(name)
  if (serializer !== undefined) return serializer
  throw new PerdureError(
    'PERDURE_SERIALIZER',
    `There is no serializer named "${name}". There are ${serializerNames().join(', ')}. ` +
      'Call registerSerializer() of perdure/serializers with it before you open the database.',
  )
}

/** Names of all serializers, those of the package first. */
export function serializerNames(): string[] {
  return [...serializers.keys()]
}

/** URLs of the modules that worker threads import, to know the same serializers as this thread. */
export function serializerModules(): string[] {
  return [...modules]
}

function checkSerializer(serializer: Serializer): void {
  const { name, encode, decode } = serializer
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `A serializer cannot be named ${JSON.stringify(name)}: use 1 to 31 characters out of a-z 0-9 - . _`,
    )
  }
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw new PerdureError('PERDURE_ARGUMENT', `The serializer "${name}" needs the methods encode and decode.`)
  }
}

function moduleUrl(module: string | URL): string {
  const url = String(module)
  if (URL.canParse(url)) return url
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `"${url}" is not the URL of a module. Give import.meta.url, or import.meta.resolve() of a package.`,
  )
}
