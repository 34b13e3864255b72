import {
  PythonByteString,
  type PythonDict,
  PythonGlobal,
  PythonObject,
  PythonSet,
  PythonTuple,
} from './python-values.js'

/*
 * Older protocols have no opcodes for sets and bytes; they are pickled as calls of what makes them. Those few calls are
 * understood here, by their names. All others become a PythonObject: nothing is ever called.
 */

/** What stands for the value of calling something. */
export function calling(callable: unknown, args: readonly unknown[]): unknown {
  return (
    (callable instanceof PythonGlobal ? knownValue(callable, args) : undefined) ??
    new PythonObject(callable, args, false)
  )
}

/** What stands for a new instance of a class, not initialised. */
export function creating(type: unknown, args: readonly unknown[], keywords?: PythonDict): PythonObject {
  return new PythonObject(type, args, true, keywords)
}

function knownValue({ module, name }: PythonGlobal, args: readonly unknown[]): unknown {
  switch (module) {
    case '_codecs':
      return name === 'encode' ? bytesOf(args) : undefined
    case '__builtin__':
    case 'builtins':
      return builtIn(name, args)
    case 'copy_reg':
    case 'copyreg':
      return copied(name, args)
    default:
      return undefined
  }
}

function builtIn(name: string, args: readonly unknown[]): unknown {
  switch (name) {
    case 'set':
    case 'frozenset':
      return setOf(args, name === 'frozenset')
    case 'bytes':
      return args.length === 0 ? new Uint8Array(0) : undefined
    case 'bytearray':
      if (args.length === 0) return new Uint8Array(0)
      if (args.length === 1) return ownBytes(args[0])
      return bytesOf(args)
    default:
      return undefined
  }
}

function setOf(args: readonly unknown[], frozen: boolean): PythonSet | undefined {
  const [items] = args
  if (args.length === 0) return new PythonSet([], frozen)
  if (args.length > 1) return undefined
  if (Array.isArray(items)) return new PythonSet([...items], frozen)
  return items instanceof PythonTuple ? new PythonSet([...items.items], frozen) : undefined
}

/** Text in Latin-1 that stands for bytes. */
function bytesOf([text, encoding, ...more]: readonly unknown[]): Uint8Array | undefined {
  if (more.length > 0 || (encoding !== 'latin1' && encoding !== 'latin-1')) return undefined
  return typeof text === 'string' ? latin1Bytes(text) : undefined
}

function latin1Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255) return undefined
    bytes[i] = code
  }
  return bytes
}

function ownBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  return value instanceof PythonByteString ? Uint8Array.from(value.bytes) : undefined
}

/** The ways in which `object.__reduce__` creates instances. */
function copied(name: string, args: readonly unknown[]): PythonObject | undefined {
  const [type, second, third] = args
  if (!(type instanceof PythonGlobal)) return undefined
  if (name === '__newobj__') return creating(type, args.slice(1))
  if (name !== '_reconstructor' || args.length !== 3) return undefined
  const isPlain = second instanceof PythonGlobal && second.name === 'object' && third === null
  return isPlain ? creating(type, []) : undefined
}
