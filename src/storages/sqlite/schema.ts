import { randomBytes } from 'node:crypto'
import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import { checkTables } from './check-tables.js'
import { bytes, integer, type SqliteConnection, textOf } from './engine.js'
import { APPLICATION_ID } from './file-head.js'

/*
 * The tables of a database in SQLite. docs/sqlite.md explains them to people who look at them with other tools; who
 * changes them changes that too, and raises FORMAT_VERSION.
 */

/** SQLite's `user_version`. */
export const FORMAT_VERSION = 1

const TABLES = `
  create table meta (
    key text primary key,
    value text not null
  ) without rowid;

  create table transactions (
    tid integer primary key,
    time integer not null,
    user text not null,
    note text not null,
    token blob,
    bytes integer not null,
    packed integer not null,
    objects integer not null,
    total_bytes integer not null
  );

  create table records (
    id integer primary key,
    oid integer not null,
    tid integer not null,
    class text not null,
    checksum integer not null,
    data blob
  );
  create unique index records_by_object on records (oid, tid);
  create index records_by_transaction on records (tid, oid);

  create table doomed (
    oid integer primary key
  );

  create view objects as
    select oid, max(tid) as tid, class, length(data) as bytes from records group by oid having data is not null;
`

/** What stands in the table `meta`. */
export interface Meta {
  readonly serializer: string
  /** Which database it is, in hexadecimal digits. */
  readonly databaseId: string
  /** When it was created, in ms since 1970. */
  readonly created: number
  /** The oldest transaction as of which it can be read. */
  readonly historyFrom: Tid
  /**
   * The newest transaction when a pack deleted versions last. Of garbage none may be left that could be seen before, so
   * that what has changed up to an older transaction is not known any more.
   */
  readonly sweptAt: Tid
  /** Removals up to this transaction have been forgotten. */
  readonly removalsFrom: Tid
  /** All oids in the tables are smaller. */
  readonly nextOid: Oid
  /**
   * Not 0: a pack that has seen the state of this transaction has decided what to remove, which stands in `doomed`, and
   * has not yet removed all of it.
   */
  readonly removing: Tid
}

const KEYS: Record<keyof Meta, string> = {
  serializer: 'serializer',
  databaseId: 'database_id',
  created: 'created',
  historyFrom: 'history_from',
  sweptAt: 'swept_at',
  removalsFrom: 'removals_from',
  nextOid: 'next_oid',
  removing: 'removing',
}

/**
 * Makes a new file a database, all at once.
 *
 * @param created in ms since 1970
 */
export function createTables(connection: SqliteConnection, serializer: string, created: number): void {
  // Has to come before the first page is written, and lets a pack give space back a little at a time.
  connection.exec('pragma auto_vacuum = incremental; pragma synchronous = extra')
  connection.exec(`
    begin immediate;
    pragma application_id = ${APPLICATION_ID};
    pragma user_version = ${FORMAT_VERSION};
    ${TABLES}
  `)
  writeMeta(connection, {
    serializer,
    databaseId: randomBytes(16).toString('hex'),
    created,
    historyFrom: 0,
    sweptAt: 0,
    removalsFrom: 0,
    nextOid: 1,
    removing: 0,
  })
  connection.exec('commit')
}

/**
 * @throws PerdureError `PERDURE_NOT_A_DATABASE` if the file belongs to another application; `PERDURE_FORMAT_VERSION`;
 *   `PERDURE_CORRUPTION` if its tables are not those that we make
 */
export function checkFormat(connection: SqliteConnection): void {
  const { path } = connection
  const application = readNumber(connection, 'application_id')
  if (application === 0 && readNumber(connection, 'page_count') === 0) {
    throw new PerdureError('PERDURE_NOT_A_DATABASE', `${path} is empty. Restore a backup, or remove it.`, {
      details: { path },
    })
  }
  if (application !== APPLICATION_ID) {
    throw new PerdureError(
      'PERDURE_NOT_A_DATABASE',
      `${path} is an SQLite database, but not one of Perdure: its application_id is ${application}. Check the path.`,
      { details: { path, applicationId: application } },
    )
  }
  const version = readNumber(connection, 'user_version')
  if (version !== FORMAT_VERSION) {
    throw new PerdureError(
      'PERDURE_FORMAT_VERSION',
      `${path} has version ${version} of the tables; this Perdure knows version ${FORMAT_VERSION}. Open it with the Perdure that wrote it, or a newer one.`,
      { details: { path, version, known: FORMAT_VERSION } },
    )
  }
  checkTables(connection, TABLES)
}

function readNumber(connection: SqliteConnection, pragma: string): number {
  const [value] = connection.prepare<[number]>(`select ${integer(pragma)} from pragma_${pragma}`).get() ?? [0]
  return value
}

/** @throws PerdureError `PERDURE_CORRUPTION` if something is not there or makes no sense */
export function readMeta(connection: SqliteConnection): Meta {
  const rows = connection.prepare<[Uint8Array, Uint8Array]>(`select ${bytes('key')}, ${bytes('value')} from meta`).all()
  const values = new Map(rows.map(([key, value]) => [textOf(key), textOf(value)]))
  const number = (name: keyof Meta) => {
    const value = Number(values.get(KEYS[name]) || Number.NaN)
    if (!Number.isSafeInteger(value) || value < 0) throw badMeta(connection.path, KEYS[name])
    return value
  }
  const text = (name: keyof Meta, pattern: RegExp) => {
    const value = values.get(KEYS[name]) ?? ''
    if (!pattern.test(value)) throw badMeta(connection.path, KEYS[name])
    return value
  }
  return {
    serializer: text('serializer', /^[a-z0-9._-]{1,31}$/),
    databaseId: text('databaseId', /^[0-9a-f]{32}$/),
    created: number('created'),
    historyFrom: number('historyFrom'),
    sweptAt: number('sweptAt'),
    removalsFrom: number('removalsFrom'),
    nextOid: number('nextOid'),
    removing: number('removing'),
  }
}

/** No transaction has such a number before its successors would be beyond what JavaScript can count. */
const MAX_TID = 2 ** 52

/**
 * Sees to it that nothing is said of transactions that are still to come.
 *
 * @throws PerdureError `PERDURE_CORRUPTION`
 */
export function checkNumbers(path: string, meta: Meta, { tid }: { readonly tid: Tid }): void {
  if (!Number.isSafeInteger(tid) || tid < 0 || tid > MAX_TID) {
    throw new PerdureError(
      'PERDURE_CORRUPTION',
      `${path} is damaged: ${tid} is not the number of a transaction. Restore a backup.`,
      { details: { path } },
    )
  }
  const wrong = (['historyFrom', 'sweptAt', 'removalsFrom', 'removing'] as const).find((name) => meta[name] > tid)
  if (wrong !== undefined) throw badMeta(path, KEYS[wrong])
}

export function writeMeta(connection: SqliteConnection, meta: Partial<Meta>): void {
  const statement = connection.prepare('insert or replace into meta (key, value) values (?, ?)')
  for (const [name, value] of Object.entries(meta)) {
    statement.run(KEYS[name as keyof Meta], String(value))
  }
}

function badMeta(path: string, key: string): PerdureError {
  return new PerdureError(
    'PERDURE_CORRUPTION',
    `${path} is damaged: its table meta has no sensible value for ${key}. Restore a backup.`,
    { details: { path, key } },
  )
}
