import { randomBytes } from 'node:crypto'
import { PerdureError } from '../../core/errors.js'
import type { Role } from '../protocol/messages.js'
import { saslprep } from './saslprep.js'
import { KEY_BYTES, LEAST_ITERATIONS, MOST_ITERATIONS, type ScramVerifier } from './scram-keys.js'
import { parseBase64, SCRAM_SHA_256 } from './scram-messages.js'

/*
 * The text of a credentials file: a line of JSON that says so, then one for each user. Blank lines, and lines that begin
 * with #, are for people. A line of JSON holds any name, and lets an error say where it is.
 *
 *   {"format":"perdure-credentials-1","secret":"<base64>"}
 *   # the reports
 *   {"name":"ada","role":"reader","mechanism":"SCRAM-SHA-256","iterations":32768,"salt":"…","storedKey":"…","serverKey":"…"}
 *
 * From the secret come the salts of users who do not exist.
 */

const FORMAT = 'perdure-credentials-1'
const ROLES: readonly unknown[] = ['reader', 'writer', 'admin']
const USER_FIELDS = ['name', 'role', 'mechanism', 'iterations', 'salt', 'storedKey', 'serverKey']
const MAX_NAME_BYTES = 255
const SECRET_BYTES = 32

/** Somebody who may log in. */
export interface User {
  /** As {@link checkUserName} gives it. */
  readonly name: string
  readonly role: Role
  readonly verifier: ScramVerifier
}

export interface Credentials {
  /** Known to the server alone. */
  readonly secret: Buffer
  /** In the order of the file. */
  readonly users: ReadonlyMap<string, User>
  /** On which line of the text each user is, from 0. */
  readonly lines: ReadonlyMap<string, number>
}

/**
 * The name as it is stored and looked up.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` for a name that cannot be one
 */
export function checkUserName(name: string): string {
  const prepared = saslprep(name, 'user name')
  if (Buffer.byteLength(prepared) <= MAX_NAME_BYTES) return prepared
  throw new PerdureError('PERDURE_ARGUMENT', `The user name is longer than ${MAX_NAME_BYTES} bytes.`)
}

/** @throws PerdureError `PERDURE_ARGUMENT` unless it is reader, writer or admin */
export function checkRole(role: unknown): Role {
  if (ROLES.includes(role)) return role as Role
  throw new PerdureError('PERDURE_ARGUMENT', `There is no role ${String(role)}. It is reader, writer or admin.`)
}

/** The first line of a new file. */
export function formatHeader(): string {
  return JSON.stringify({ format: FORMAT, secret: randomBytes(SECRET_BYTES).toString('base64') })
}

/** The line of one user. */
export function formatUser({ name, role, verifier }: User): string {
  return JSON.stringify({
    name,
    role,
    mechanism: SCRAM_SHA_256,
    iterations: verifier.iterations,
    salt: verifier.salt.toString('base64'),
    storedKey: verifier.storedKey.toString('base64'),
    serverKey: verifier.serverKey.toString('base64'),
  })
}

/**
 * @param path for messages, which name the line and the field and never repeat the value of a key
 * @throws PerdureError `PERDURE_ARGUMENT` saying what is wrong and where
 */
export function parseCredentials(text: string, path: string): Credentials {
  let secret: Buffer | undefined
  const users = new Map<string, User>()
  const lines = new Map<string, number>()
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const wrong: Wrong = (what) =>
      new PerdureError('PERDURE_ARGUMENT', `Line ${index + 1} of the credentials file ${path} ${what}.`, {
        details: { path, line: index + 1 },
      })
    const fields = parseLine(line, wrong)
    if (secret === undefined) {
      secret = parseHeader(fields, wrong)
      continue
    }
    const user = parseUser(fields, wrong)
    if (users.has(user.name)) throw wrong(`names the user ${user.name} a second time`)
    users.set(user.name, user)
    lines.set(user.name, index)
  }
  if (secret !== undefined) return { secret, users, lines }
  throw new PerdureError('PERDURE_ARGUMENT', `${path} is no credentials file: it is empty.`, { details: { path } })
}

/** Makes the error for one line. */
type Wrong = (what: string) => PerdureError

/** What JSON.parse says of bad text may quote it, so it is not passed on. */
function parseLine(line: string, wrong: Wrong): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw wrong('is not JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw wrong('is not a JSON object')
}

function parseHeader(fields: Record<string, unknown>, wrong: Wrong): Buffer {
  if (fields['format'] !== FORMAT) throw wrong(`must say {"format":"${FORMAT}", …}`)
  const secret = asBytes(fields['secret'])
  if (secret === undefined || secret.length < SECRET_BYTES) {
    throw wrong(`needs a "secret" of ${SECRET_BYTES} bytes in base64`)
  }
  return secret
}

function parseUser(fields: Record<string, unknown>, wrong: Wrong): User {
  const unknown = Object.keys(fields).find((key) => !USER_FIELDS.includes(key))
  if (unknown !== undefined) throw wrong(`has an unknown field "${unknown}"`)
  const { name, role, mechanism, iterations } = fields
  if (typeof name !== 'string' || !isUserName(name)) throw wrong('needs a "name", in the form that SASLprep gives it')
  if (!ROLES.includes(role)) throw wrong('needs a "role": reader, writer or admin')
  if (mechanism !== SCRAM_SHA_256) throw wrong(`needs the "mechanism" ${SCRAM_SHA_256}`)
  if (!Number.isInteger(iterations) || Number(iterations) < LEAST_ITERATIONS || Number(iterations) > MOST_ITERATIONS) {
    throw wrong(`needs "iterations" from ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}`)
  }
  const bytes = (field: string, least: number, most: number): Buffer => {
    const value = asBytes(fields[field])
    if (value !== undefined && value.length >= least && value.length <= most) return value
    throw wrong(`needs a "${field}" of ${least === most ? least : `${least} to ${most}`} bytes in base64`)
  }
  return {
    name,
    role: role as Role,
    verifier: {
      iterations: Number(iterations),
      salt: bytes('salt', 8, 64),
      storedKey: bytes('storedKey', KEY_BYTES, KEY_BYTES),
      serverKey: bytes('serverKey', KEY_BYTES, KEY_BYTES),
    },
  }
}

function asBytes(value: unknown): Buffer | undefined {
  return typeof value === 'string' ? parseBase64(value) : undefined
}

function isUserName(name: string): boolean {
  try {
    return checkUserName(name) === name
  } catch {
    return false
  }
}
