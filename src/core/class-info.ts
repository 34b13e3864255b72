import { PerdureError } from './errors.js'
import { MAX_CLASS_NAME } from './record.js'
import type { State } from './serializer.js'

/** Any class whose instances are persistent. */
export type PersistentClass<T extends object = object> = (abstract new (
  // biome-ignore lint/suspicious/noExplicitAny: a class fits whatever its constructor takes.
  ...args: any[]
) => T) & { readonly className?: string }

/**
 * How instances of a class hold their state.
 *
 * - `transparent`: behind a Proxy; the state is an object with one property a field.
 * - `fields`: the class declared `@field accessor`s; the state is an array with one slot a field, and one more for
 *   stored fields that the class does not declare.
 * - `bare`: the class reads and writes its state itself, by `readState` and `writeState`, as the collections do.
 */
export type ClassKind = 'transparent' | 'fields' | 'bare'

/** What is known of a persistent class. There is one for each class. */
export interface ClassInfo {
  readonly name: string
  readonly type: PersistentClass
  readonly kind: ClassKind
  /** Names of the declared fields, by slot. Empty unless the kind is `fields`. */
  readonly fields: readonly string[]
  /** The target of every Proxy of a `transparent` class. It never has properties of its own. */
  readonly target: object
  /** Whether users hold a Proxy in place of an instance: transparent classes, and bare ones with a {@link STAND_IN}. */
  readonly behindProxy: boolean
  /** A new, empty state. */
  emptyState(): object
  /** The fields by name, as the serializer wants them; without volatile ones. */
  toState(state: object): State
  /** The inverse of {@link toState}, for a state fresh from the serializer. */
  fromState(state: State): object
}

/** Marks the classes of kind `bare`; a static property that subclasses inherit. */
export const BARE: unique symbol = Symbol('perdure.bare')

/**
 * A static method of bare classes whose instances need a Proxy of their own: given the header of a new instance, it
 * makes what users hold. That must answer HEADER with the header.
 */
export const STAND_IN: unique symbol = Symbol('perdure.stand-in')

/** Where the decorator leaves the names of a class's fields, in the class's metadata. */
export const FIELDS: unique symbol = Symbol('perdure.fields')

// Node has no decorator metadata yet; compilers put it where this symbol says. It must exist before the first
// decorated class is defined, and does, since such a class imports this package.
// https://github.com/tc39/proposal-decorator-metadata
const symbols = Symbol as { metadata?: symbol }
symbols.metadata ??= Symbol.for('Symbol.metadata')
const METADATA: symbol = symbols.metadata

const infos = new WeakMap<object, ClassInfo>()

/** Describes a class, once. */
export function classInfo(type: PersistentClass): ClassInfo {
  let info = infos.get(type)
  if (info === undefined) {
    info = describe(type)
    infos.set(type, info)
  }
  return info
}

/** True for properties that are never stored: symbols, and names that begin with `_v_`. */
export function isVolatile(key: string | symbol): boolean {
  return typeof key === 'symbol' || (key.charCodeAt(0) === 95 && key.startsWith('_v_'))
}

/** The name under which instances are stored: the class's own `static className`, or its name. */
export function storedName(type: PersistentClass): string {
  const own = Object.hasOwn(type, 'className') ? type.className : undefined
  const name = own ?? type.name
  if (typeof name === 'string' && name !== '') {
    const bytes = Buffer.from(name)
    if (bytes.length <= MAX_CLASS_NAME && bytes.toString() === name) return name
  }
  throw new PerdureError(
    'PERDURE_CLASS',
    `A persistent class needs a name of 1 to ${MAX_CLASS_NAME} bytes of valid UTF-8, not ${JSON.stringify(name)}. Give it a static className.`,
  )
}

function describe(type: PersistentClass): ClassInfo {
  const name = storedName(type)
  const metadata = Reflect.get(type, METADATA) as { [FIELDS]?: readonly string[] } | undefined
  const fields = metadata?.[FIELDS] ?? []
  const bare = Reflect.get(type, BARE) === true
  if (bare && fields.length > 0) {
    throw new PerdureError(
      'PERDURE_CLASS',
      `Class ${name} extends a collection and declares @field accessors, which cannot be stored together. Hold the collection in a field of a class that extends Persistent.`,
      { details: { className: name } },
    )
  }
  const kind: ClassKind = bare ? 'bare' : fields.length > 0 ? 'fields' : 'transparent'
  if (kind === 'fields') defineToJson(type.prototype)
  const target = Object.create(type.prototype)
  const behindProxy = kind === 'transparent' || (bare && STAND_IN in type)
  return {
    name,
    type,
    kind,
    fields,
    target,
    behindProxy,
    ...(kind === 'fields' ? slotState(fields) : namedState(kind)),
  }
}

type StateShape = Pick<ClassInfo, 'emptyState' | 'toState' | 'fromState'>

function namedState(kind: ClassKind): StateShape {
  return {
    emptyState: () => ({}),
    toState: kind === 'bare' ? (state) => state as State : withoutVolatile,
    fromState: (state) => state,
  }
}

function withoutVolatile(state: object): State {
  for (const key in state) {
    if (isVolatile(key)) return Object.fromEntries(Object.entries(state).filter(([name]) => !isVolatile(name)))
  }
  return state as State
}

function slotState(fields: readonly string[]): StateShape {
  const slots = new Map(fields.map((name, slot) => [name, slot]))
  const stored = fields.map((name, slot) => ({ name, slot })).filter(({ name }) => !isVolatile(name))
  return {
    emptyState: () => emptySlots(fields.length + 1),
    toState(state) {
      const values = state as unknown[]
      const named: State = {}
      for (const { name, slot } of stored) named[name] = values[slot]
      const undeclared = values[fields.length] as State | undefined
      if (undeclared !== undefined) for (const name of Object.keys(undeclared)) define(named, name, undeclared[name])
      return named
    },
    fromState(named) {
      const values = emptySlots(fields.length + 1)
      const undeclared: State = {}
      for (const name of Object.keys(named)) {
        const slot = slots.get(name)
        if (slot !== undefined) values[slot] = named[name]
        else define(undeclared, name, named[name])
      }
      if (Object.keys(undeclared).length > 0) values[fields.length] = undeclared
      return values
    },
  }
}

/** Not `new Array(count)`: arrays that began with holes stay slower to read. */
function emptySlots(count: number): unknown[] {
  const slots: unknown[] = []
  for (let i = 0; i < count; i++) slots.push(undefined)
  return slots
}

/** Sets an own property, whatever its name: assigning to `__proto__` would set the prototype. */
function define(target: State, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
}

/** Accessors live on the prototype, where JSON.stringify does not look. */
function defineToJson(prototype: object): void {
  if ('toJSON' in prototype) return
  Object.defineProperty(prototype, 'toJSON', { value: fieldsToJson, writable: true, configurable: true })
}

function fieldsToJson(this: Record<string, unknown>): Record<string, unknown> {
  const { fields } = classInfo(this.constructor as PersistentClass)
  return Object.fromEntries(fields.filter((name) => !isVolatile(name)).map((name) => [name, this[name]]))
}
