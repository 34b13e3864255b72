/*
 * What a pickle can make. None is null, bool is boolean, int is a number if that holds it exactly and a bigint if not,
 * float is a number, str is a string, bytes and bytearray are a Uint8Array, and list is an array. There is a class of
 * this module for each of the others. Nothing else comes out of a pickle, and nothing in it is ever called.
 */

/** A tuple. */
export class PythonTuple {
  readonly items: readonly unknown[]

  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/** A dict: keys and values in turn, in the order of insertion. Of a key that occurs twice the later value counts. */
export class PythonDict {
  entries: unknown[]

  constructor(entries: unknown[] = []) {
    this.entries = entries
  }
}

/** A set or a frozenset. */
export class PythonSet {
  items: unknown[]
  readonly frozen: boolean

  constructor(items: unknown[], frozen: boolean) {
    this.items = items
    this.frozen = frozen
  }
}

/** The str of Python 2, if it is not ASCII: it may have been text in any encoding, or bytes. */
export class PythonByteString {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** A class or a function, by its name. */
export class PythonGlobal {
  readonly module: string
  readonly name: string

  constructor(module: string, name: string) {
    this.module = module
    this.name = name
  }

  /** Such as `decimal.Decimal`. */
  get dottedName(): string {
    return `${this.module}.${this.name}`
  }
}

/** What Python would make by calling something: any instance that is none of the above. */
export class PythonObject {
  /** What would be called: most often a {@link PythonGlobal}. */
  readonly callable: unknown
  readonly args: readonly unknown[]
  /** Keyword arguments, if there are any. */
  readonly keywords: PythonDict | undefined
  /** True if `callable.__new__` would be called, and not `callable`. */
  readonly isNew: boolean
  /** What `__setstate__` would be given; undefined if it would not be called. */
  state: unknown
  /** What would be appended to it. */
  listItems: unknown[] | undefined
  /** Keys and values in turn that would be set in it. */
  dictItems: unknown[] | undefined

  constructor(callable: unknown, args: readonly unknown[], isNew: boolean, keywords?: PythonDict) {
    this.callable = callable
    this.args = args
    this.isNew = isNew
    this.keywords = keywords
  }
}

/** Stands for an object outside of the pickle. */
export class PersistentId {
  /** In Durus a tuple of the oid, as 8 bytes, and the class. */
  readonly id: unknown

  constructor(id: unknown) {
    this.id = id
  }
}
