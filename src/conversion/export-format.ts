import type { Oid, Tid } from '../core/oid.js'

/*
 * The lines of an export: a title, the objects, an end. See docs/export.md.
 */

/** What the first line says of itself. */
export const EXPORT_FORMAT = 'perdure-export'
export const EXPORT_VERSION = 1

/** The first line of an export. */
export interface ExportTitle {
  readonly format: typeof EXPORT_FORMAT
  readonly version: number
  /** The transaction that the export shows. */
  readonly tid: Tid
  /** `pickle` if the states are Python pickles; otherwise not there, since it does not matter. */
  readonly serializer?: string
  /** All oids that the database has given out are below this one. Not there if that is not known. */
  readonly nextOid?: Oid
}

/** A line of an export: an object. */
export interface ExportedObject {
  readonly oid: Oid
  readonly class: string
  readonly references: readonly (readonly [oid: Oid, className: string])[]
  /** As the serializer `devalue` writes it. */
  readonly state?: unknown
  /** In place of `state`, one that nobody can decode here, in base64. */
  readonly bytes?: string
}

/** The last line of an export, without which it is not whole. */
export interface ExportEnd {
  readonly objects: number
  /** As in the title. */
  readonly nextOid?: Oid
  /** Of the content: see docs/conversion.md. Exports made by the first versions have none. */
  readonly hash?: string
}
