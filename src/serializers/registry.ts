import { PerdureError } from '../core/errors.js'
import { PICKLE } from '../core/pickle.js'
import type { Serializer } from '../core/serializer.js'

const NAME = /^[a-z0-9._-]{1,31}$/

/** Those of the package, imported when they are first needed: a program mostly needs one of the three. */
const builtIn = new Map<string, () => Promise<Serializer>>([
  ['msgpack', async () => (await import('./msgpack.js')).msgpack],
  ['cbor', async () => (await import('./cbor.js')).cbor],
  ['devalue', async () => (await import('./devalue.js')).devalue],
])

const registered = new Map<string, Serializer>()
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
  const known = registered.get(name)
  if (name === PICKLE || builtIn.has(name) || (known !== undefined && known !== serializer)) {
    throw new PerdureError('PERDURE_SERIALIZER', `There is another serializer named "${name}". Choose another name.`)
  }
  const module = options.module === undefined ? undefined : moduleUrl(options.module)
  registered.set(name, serializer)
  if (module !== undefined) modules.add(module)
}

/**
 * The serializer named `name`.
 *
 * @throws PerdureError `PERDURE_SERIALIZER` if there is none
 */
export async function loadSerializer(name: string): Promise<Serializer> {
  checkKnown(name)
  return registered.get(name) ?? (builtIn.get(name) as () => Promise<Serializer>)()
}

/** @throws PerdureError `PERDURE_SERIALIZER` if there is no serializer of this name */
export function checkKnown(name: string): void {
  if (registered.has(name) || builtIn.has(name)) return
  if (name === PICKLE) {
    throw new PerdureError(
      'PERDURE_SERIALIZER',
      'States of the serializer "pickle" are Python pickles, which only Durus clients can read. ' +
        'Serve the database to them with perdure/server, or import it.',
    )
  }
  throw new PerdureError(
    'PERDURE_SERIALIZER',
    `There is no serializer named "${name}". There are ${serializerNames().join(', ')}. ` +
      'Call registerSerializer() of perdure/serializers with it before you open the database.',
  )
}

/** Names of all serializers, those of the package first. */
export function serializerNames(): string[] {
  return [...builtIn.keys(), ...registered.keys()]
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
