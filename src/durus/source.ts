import type { Oid } from '../core/oid.js'

/** The ways in which Durus keeps a database: FileStorage, FileStorage2 and SqliteStorage. */
export type DurusFormat = 'SHELF-1' | 'DFS20' | 'sqlite'

/** One object of a Durus file, as it is stored. */
export interface DurusObject {
  readonly oid: Oid
  /** The pickle of the class, then that of the state, which may be compressed. */
  readonly data: Uint8Array
  /** The objects that the state refers to, as the file lists them. */
  readonly references: readonly Oid[]
  /** Where its record begins in the file, for messages; the oid where the file keeps rows rather than records. */
  readonly offset: number
}

/** A Durus file that has been opened: the newest version of each object. To read it again gives the same. */
export interface DurusSource {
  readonly path: string
  readonly format: DurusFormat
  /** How many objects there are. */
  readonly objects: number
  /** The largest oid of any of them; -1 if there is none. */
  readonly highestOid: Oid
  /** Bytes at the end of the file that belong to a transaction that was never completed. They are ignored. */
  readonly tornBytes: number

  /** All oids, each once, in the order in which they are best loaded. */
  oids(): Iterable<Oid>

  /**
   * One object, or undefined if the file has none of this oid. Its bytes are the caller's.
   *
   * @throws CorruptionError if the record makes no sense
   */
  load(oid: Oid): DurusObject | undefined

  /** Closes the file. Nothing can be loaded afterwards. */
  close(): void
}
