/*
 * Writes pickles as Python's pickle module does, of protocol 0, 2 or 4. It shares nothing with the reader.
 * https://github.com/python/cpython/blob/main/Lib/pickle.py
 */

/** A value of Python. One that occurs twice is pickled once. */
export type PythonValue =
  | null
  | boolean
  /** str of Python 3, unicode of Python 2. */
  | string
  | { readonly int: bigint }
  | { readonly float: number }
  | { readonly bytes: Uint8Array }
  /** str of Python 2. */
  | { readonly str2: Uint8Array }
  | { readonly list: PythonValue[] }
  | { readonly tuple: readonly PythonValue[] }
  | { readonly dict: (readonly [key: PythonValue, value: PythonValue])[] }
  | { readonly set: readonly PythonValue[] }
  | { readonly frozenset: readonly PythonValue[] }
  | { readonly global: readonly [module: string, name: string] }
  | PythonInstance
  | { readonly persistent: PythonValue }

/** What a class is called with, or its `__new__`, and its state. */
export interface PythonInstance {
  readonly instance: PythonValue
  readonly args?: readonly PythonValue[]
  readonly isNew?: boolean
  readonly state?: PythonValue
  readonly items?: readonly PythonValue[]
}

export type Protocol = 0 | 2 | 4

export function int(value: number | bigint): PythonValue {
  return { int: BigInt(value) }
}

export function pickleClass(module: string, name: string): PythonValue {
  return { global: [module, name] }
}

/** A reference of Durus. */
export function durusReference(oid: number, type: PythonValue): PythonValue {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(oid))
  return { persistent: { tuple: [{ bytes }, type] } }
}

/** Writes pickles one after the other, which can refer to what was in those before. */
export class PickleWriter {
  readonly #protocol: Protocol
  readonly #parts: Buffer[] = []
  readonly #memo = new Map<object, number>()

  constructor(protocol: Protocol) {
    this.#protocol = protocol
  }

  /** One pickle. */
  dump(value: PythonValue): Buffer {
    this.#parts.length = 0
    if (this.#protocol >= 2) this.#op('\x80', byte(this.#protocol))
    this.#value(value)
    this.#op('.')
    const pickle = Buffer.concat(this.#parts)
    if (this.#protocol < 4) return pickle
    const frame = Buffer.alloc(9)
    frame[0] = 0x95
    frame.writeBigUInt64LE(BigInt(pickle.length - 2), 1)
    return Buffer.concat([pickle.subarray(0, 2), frame, pickle.subarray(2)])
  }

  #op(code: string, ...args: Uint8Array[]): void {
    this.#parts.push(Buffer.from(code, 'latin1'), ...args.map((arg) => Buffer.from(arg)))
  }

  #value(value: PythonValue): void {
    if (value === null) {
      this.#op('N')
      return
    }
    if (typeof value === 'boolean') {
      this.#boolean(value)
      return
    }
    if (typeof value === 'string') {
      this.#text(value)
      return
    }
    const known = this.#memo.get(value)
    if (known !== undefined) {
      this.#get(known)
      return
    }
    if ('int' in value) {
      this.#int(value.int)
      return
    }
    if ('float' in value) {
      this.#float(value.float)
      return
    }
    if ('persistent' in value) {
      this.#persistent(value.persistent)
      return
    }
    if ('list' in value) {
      this.#list(value, value.list)
      return
    }
    if ('dict' in value) {
      this.#dict(value, value.dict)
      return
    }
    this.#unfinished(value)
    if (!('instance' in value)) this.#remember(value)
  }

  /** What can be remembered only when it is whole. */
  #unfinished(value: Exclude<PythonValue, null | boolean | string>): void {
    if ('bytes' in value) this.#bytes(value.bytes)
    else if ('str2' in value) this.#str2(value.str2)
    else if ('tuple' in value) this.#tuple(value.tuple)
    else if ('set' in value) this.#set('set', value.set)
    else if ('frozenset' in value) this.#set('frozenset', value.frozenset)
    else if ('global' in value) this.#global(...value.global)
    else if ('instance' in value) this.#instance(value)
  }

  #remember(value: object): void {
    const index = this.#memo.size
    this.#memo.set(value, index)
    if (this.#protocol === 4) this.#op('\x94')
    else if (this.#protocol === 0) this.#op('p', line(index))
    else if (index < 256) this.#op('q', byte(index))
    else this.#op('r', uint32(index))
  }

  #get(index: number): void {
    if (this.#protocol === 0) this.#op('g', line(index))
    else if (index < 256) this.#op('h', byte(index))
    else this.#op('j', uint32(index))
  }

  #boolean(value: boolean): void {
    if (this.#protocol === 0) this.#op('I', line(value ? '01' : '00'))
    else this.#op(value ? '\x88' : '\x89')
  }

  #int(value: bigint): void {
    if (this.#protocol === 0) {
      const isShort = BigInt.asIntN(32, value) === value
      if (isShort) this.#op('I', line(value))
      else this.#op('L', line(`${value}L`))
      return
    }
    if (value >= 0n && value < 256n) {
      this.#op('K', byte(Number(value)))
      return
    }
    if (value >= 0n && value < 65_536n) {
      this.#op('M', uint16(Number(value)))
      return
    }
    if (BigInt.asIntN(32, value) === value) {
      this.#op('J', int32(Number(value)))
      return
    }
    const bytes = twosComplement(value)
    if (bytes.length < 256) this.#op('\x8a', byte(bytes.length), bytes)
    else this.#op('\x8b', uint32(bytes.length), bytes)
  }

  #float(value: number): void {
    if (this.#protocol === 0) {
      const text = Object.is(value, -0) ? '-0.0' : String(value).replace('Infinity', 'inf').replace('NaN', 'nan')
      this.#op('F', line(text))
      return
    }
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(value)
    this.#op('G', bytes)
  }

  #text(value: string): void {
    if (this.#protocol === 0) {
      this.#op('V', rawEscaped(value), Buffer.from('\n'))
      return
    }
    const bytes = surrogatePass(value)
    if (this.#protocol === 4 && bytes.length < 256) this.#op('\x8c', byte(bytes.length), bytes)
    else this.#op('X', uint32(bytes.length), bytes)
  }

  /** Protocols before 3 have no bytes: they call `codecs.encode`, or `bytes` for none. */
  #bytes(bytes: Uint8Array): void {
    if (this.#protocol === 4) {
      if (bytes.length < 256) this.#op('C', byte(bytes.length), bytes)
      else this.#op('B', uint32(bytes.length), bytes)
    } else if (bytes.length === 0) {
      this.#call(['__builtin__', 'bytes'], [])
    } else {
      this.#call(['_codecs', 'encode'], [Buffer.from(bytes).toString('latin1'), 'latin1'])
    }
  }

  #str2(bytes: Uint8Array): void {
    if (this.#protocol === 0) {
      const digits = Array.from(bytes, (value) => `\\x${value.toString(16).padStart(2, '0')}`)
      this.#op('S', line(`'${digits.join('')}'`))
    } else if (bytes.length < 256) {
      this.#op('U', byte(bytes.length), bytes)
    } else {
      this.#op('T', uint32(bytes.length), bytes)
    }
  }

  #persistent(id: PythonValue): void {
    if (this.#protocol === 0) {
      this.#op('P', line(String(id)))
    } else {
      this.#value(id)
      this.#op('Q')
    }
  }

  #list(list: object, items: readonly PythonValue[]): void {
    this.#op(this.#protocol === 0 ? '(l' : ']')
    this.#remember(list)
    if (this.#protocol === 0 || items.length === 1) {
      for (const item of items) {
        this.#value(item)
        this.#op('a')
      }
    } else if (items.length > 0) {
      this.#op('(')
      for (const item of items) this.#value(item)
      this.#op('e')
    }
  }

  #dict(dict: object, entries: readonly (readonly [PythonValue, PythonValue])[]): void {
    this.#op(this.#protocol === 0 ? '(d' : '}')
    this.#remember(dict)
    const atOnce = this.#protocol > 0 && entries.length > 1
    if (atOnce) this.#op('(')
    for (const [key, value] of entries) {
      this.#value(key)
      this.#value(value)
      if (!atOnce) this.#op('s')
    }
    if (atOnce) this.#op('u')
  }

  #tuple(items: readonly PythonValue[]): void {
    const isShort = this.#protocol >= 2 && items.length > 0 && items.length < 4
    if (this.#protocol >= 2 && items.length === 0) {
      this.#op(')')
      return
    }
    if (!isShort) this.#op('(')
    for (const item of items) this.#value(item)
    this.#op(isShort ? (['\x85', '\x86', '\x87'][items.length - 1] as string) : 't')
  }

  #set(name: 'set' | 'frozenset', items: readonly PythonValue[]): void {
    if (this.#protocol < 4) {
      this.#call(['__builtin__', name], [{ list: [...items] }])
      return
    }
    if (name === 'set') this.#op('\x8f')
    this.#op('(')
    for (const item of items) this.#value(item)
    this.#op(name === 'set' ? '\x90' : '\x91')
  }

  #global(module: string, name: string): void {
    if (this.#protocol < 4) {
      this.#op('c', line(module), line(name))
      return
    }
    this.#text(module)
    this.#text(name)
    this.#op('\x93')
  }

  #call(name: readonly [string, string], args: readonly PythonValue[]): void {
    this.#global(...name)
    this.#tuple(args)
    this.#op('R')
  }

  #instance(value: PythonInstance): void {
    const { instance, args = [], isNew = false, state, items } = value
    this.#value(instance)
    this.#tuple(args)
    this.#op(isNew ? '\x81' : 'R')
    this.#remember(value)
    if (items !== undefined) {
      this.#op('(')
      for (const item of items) this.#value(item)
      this.#op('e')
    }
    if (state === undefined) return
    this.#value(state)
    this.#op('b')
  }
}

/** The data of a Durus object: its class, then its state, not compressed. */
export function durusData(type: PythonValue, state: PythonValue, protocol: Protocol = 2): Buffer {
  const writer = new PickleWriter(protocol)
  return Buffer.concat([writer.dump(type), writer.dump(state)])
}

function line(text: string | number | bigint): Buffer {
  return Buffer.from(`${text}\n`)
}

function byte(value: number): Buffer {
  return Buffer.from([value])
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function twosComplement(value: bigint): Buffer {
  let size = 1
  while (BigInt.asIntN(8 * size, value) !== value) size++
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = Number(BigInt.asUintN(8, value >> BigInt(8 * i)))
  return bytes
}

/** UTF-8 in which lone surrogates stand as any other code point would. */
function surrogatePass(text: string): Buffer {
  const parts = Array.from(text, (character) => {
    const code = character.codePointAt(0) as number
    if (code < 0xd800 || code > 0xdfff) return Buffer.from(character)
    return Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)])
  })
  return Buffer.concat(parts)
}

function rawEscaped(text: string): Buffer {
  const characters = Array.from(text, (character) => {
    const code = character.codePointAt(0) as number
    if (code > 0xffff) return `\\U${code.toString(16).padStart(8, '0')}`
    return code > 0xff || character === '\\' || code < 32 ? `\\u${code.toString(16).padStart(4, '0')}` : character
  })
  return Buffer.from(characters.join(''), 'latin1')
}
