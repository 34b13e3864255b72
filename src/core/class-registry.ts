import { type ClassInfo, classInfo, type PersistentClass, storedName } from './class-info.js'
import { PerdureError } from './errors.js'
import { Persistent } from './persistent.js'

/**
 * Stands for objects whose class is not registered: they can be read, and what is not changed is stored as it was.
 * Each unknown class gets a subclass of its own that carries the stored name.
 */
export class Placeholder extends Persistent {}

/**
 * Finds classes by the names under which their instances are stored. A database has its own, which falls back to
 * the {@link globalClasses | process-wide one} that {@link registerClass} fills.
 */
export class ClassRegistry {
  readonly #fallback: ClassRegistry | undefined
  readonly #classes = new Map<string, ClassInfo>()
  readonly #placeholders = new Map<string, ClassInfo>()

  constructor(fallback?: ClassRegistry) {
    this.#fallback = fallback
  }

  /**
   * @throws PerdureError `PERDURE_CLASS` if the class does not extend Persistent, has no usable name, or another
   *   class has the name already
   */
  register(type: PersistentClass): void {
    if (typeof type !== 'function' || !(type.prototype instanceof Persistent)) {
      throw new PerdureError(
        'PERDURE_CLASS',
        `Only classes that extend Persistent can be registered, not ${String(type)}.`,
      )
    }
    const name = storedName(type)
    const known = this.find(name)
    if (known !== undefined && known.type !== type) {
      throw new PerdureError(
        'PERDURE_CLASS',
        `Two different classes are called ${name}. Give one of them another name: static className = '...'.`,
        { details: { className: name } },
      )
    }
    this.#classes.set(name, classInfo(type))
  }

  /** The class stored as `name`, or undefined. */
  find(name: string): ClassInfo | undefined {
    return this.#classes.get(name) ?? this.#fallback?.find(name)
  }

  /** The class stored as `name`, or a subclass of {@link Placeholder} that stands for it. */
  resolve(name: string): ClassInfo {
    return this.find(name) ?? this.#placeholder(name)
  }

  /** The stored names of `type` and of every registered class that extends it. */
  namesUnder(type: PersistentClass): Set<string> {
    const names = this.#fallback?.namesUnder(type) ?? new Set([storedName(type)])
    for (const [name, info] of this.#classes) {
      if (info.type.prototype instanceof type) names.add(name)
    }
    return names
  }

  /** Registers the class of an object about to be stored, so that it can be found again; refuses a second one of that name. */
  admit(info: ClassInfo): void {
    if (this.#classes.get(info.name) === info || this.#placeholders.get(info.name) === info) return
    this.register(info.type)
  }

  #placeholder(name: string): ClassInfo {
    let info = this.#placeholders.get(name)
    if (info === undefined) {
      const type = class extends Placeholder {
        static readonly className = name
      }
      Object.defineProperty(type, 'name', { value: name })
      info = classInfo(type)
      this.#placeholders.set(name, info)
    }
    return info
  }
}

/** The classes known to every database of the process. */
export const globalClasses = new ClassRegistry()

/**
 * Makes a class known to every database of the process. `open(..., { classes })` does so for one database.
 *
 * @throws PerdureError `PERDURE_CLASS` as {@link ClassRegistry.register}
 */
export function registerClass(type: PersistentClass): void {
  globalClasses.register(type)
}
