import type { Connection, Database, Oid, PersistentMap, Tid } from '../../index.js'
import * as perdure from '../../index.js'

/** What stands at the user's disposal in the interactive client, besides the exports of the package. */
export interface ClientNames {
  readonly db: Database<PersistentMap>
  readonly connection: Connection<PersistentMap>
  /** The root object; undefined in a database that has none. */
  readonly root: unknown
  /** The object with this oid, or undefined. */
  get(oid: Oid): unknown
  commit(options?: perdure.CommitOptions): Promise<Tid>
  abort(): void
  pack(options?: perdure.PackOptions): Promise<perdure.PackResult>
}

/** Puts the names of a session on `target`, the global object of what the user types; of two of a kind the later one holds. */
export function defineNames(
  target: object,
  db: ClientNames['db'],
  connection: ClientNames['connection'],
  [classes, more]: readonly [classes: object, more: object],
): void {
  const names: ClientNames = {
    db,
    connection,
    get root() {
      return connection.get(perdure.ROOT_OID)
    },
    get: (oid) => connection.get(oid),
    commit: (options) => connection.commit(options),
    abort: () => connection.abort(),
    pack: (options) => db.pack(options),
  }
  for (const source of [perdure, classes, names, more]) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(source))) {
      // A getter of `names` stays one. All can be redefined, as anything in a REPL.
      const value =
        'value' in property ? { value: property.value, writable: true } : { get: property.get as () => unknown }
      Object.defineProperty(target, name, { ...value, enumerable: true, configurable: true })
    }
  }
}
