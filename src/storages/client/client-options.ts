import { readFileSync, statSync } from 'node:fs'
import { PerdureError, systemCode } from '../../core/errors.js'
import { checkRules, type OptionRule, SWITCH } from '../option-rules.js'

/** How a client meets a TLS server. Certificates and keys are in PEM. */
export interface ClientTlsOptions {
  /** Whom to trust. Default: the authorities that Node trusts. */
  readonly ca?: string | Uint8Array | undefined
  /** The client's own certificate, if the server asks for one. */
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  /** The name that the server's certificate must have. Default: the host of the address. */
  readonly servername?: string | undefined
}

export interface ClientStorageOptions {
  /** How long a server may leave a request unanswered, and a lost connection be away, in ms. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** How long to wait, when the storage is opened, for a server to be there, in ms. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** Memory for records that all connections of the process share, in bytes. Default 64 MiB; 0 for none. */
  readonly cacheBytes?: number | undefined
  /** Commit nothing, whatever the server allows. Default false. */
  readonly readonly?: boolean | undefined
  /** Who logs in. Default: nobody, or who the client's certificate says. */
  readonly user?: string | undefined
  /** The password, or a function that gives it, which is called once. Default: what is in the environment's `PERDURE_PASSWORD`. */
  readonly password?: string | (() => string | Promise<string>) | undefined
  /** A file whose first line is the password; nobody but its owner may read it. */
  readonly passwordFile?: string | undefined
  /** Of addresses with TLS only. */
  readonly tls?: ClientTlsOptions | undefined
}

/** Options with everything filled in. */
export interface ClientStorageSettings {
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  readonly cacheBytes: number
  readonly readonly: boolean
  readonly tls: ClientTlsOptions
}

const MIB = 1024 * 1024

/** What a timer of Node takes, in ms. */
const MAX_MS = 2 ** 31 - 1

const TLS_OPTIONS = ['ca', 'cert', 'key', 'servername']

/** What each option may be, in words and as a test. */
const RULES: Record<keyof ClientStorageOptions, OptionRule> = {
  timeoutMs: { expected: 'a number of ms from 1 to 2^31 - 1', test: isWithin(1, MAX_MS) },
  connectTimeoutMs: { expected: 'a number of ms from 1 to 2^31 - 1', test: isWithin(1, MAX_MS) },
  cacheBytes: { expected: 'a number of bytes', test: isWithin(0, Number.MAX_SAFE_INTEGER) },
  readonly: SWITCH,
  user: { expected: 'a name', test: (value) => typeof value === 'string' && value !== '' },
  password: { expected: 'a string or a function', test: (value) => ['string', 'function'].includes(typeof value) },
  passwordFile: { expected: "a file's path", test: (value) => typeof value === 'string' },
  tls: { expected: `an object with ${TLS_OPTIONS.join(', ')}`, test: isTlsOptions },
}

/** The names of all options. */
export const CLIENT_OPTIONS = Object.keys(RULES) as readonly (keyof ClientStorageOptions)[]

function isWithin(least: number, most: number): (value: unknown) => boolean {
  return (value) => typeof value === 'number' && value >= least && value <= most
}

function isTlsOptions(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).every((name) => TLS_OPTIONS.includes(name))
}

/** @throws PerdureError `PERDURE_ARGUMENT` if an option is misspelled or impossible; its value is not repeated */
export function checkClientOptions(options: ClientStorageOptions): ClientStorageSettings {
  checkRules('ClientStorage', RULES, options)
  return {
    timeoutMs: options.timeoutMs ?? 30_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    cacheBytes: options.cacheBytes ?? 64 * MIB,
    readonly: options.readonly ?? false,
    tls: options.tls ?? {},
  }
}

/**
 * The password that goes with `options.user`; undefined without a user.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if there is a user and no password; `PERDURE_PERMISSION` if others may read
 *   the password file; `PERDURE_NOT_FOUND`, `PERDURE_IO`
 */
export async function findPassword(options: ClientStorageOptions): Promise<string | undefined> {
  if (options.user === undefined) return undefined
  const { password } = options
  if (typeof password === 'function') return password()
  if (password !== undefined) return password
  if (options.passwordFile !== undefined) return readPasswordFile(options.passwordFile)
  const fromEnvironment = process.env['PERDURE_PASSWORD']
  if (fromEnvironment !== undefined) return fromEnvironment
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `There is no password for the user ${options.user}. Give one of the options password and passwordFile, or set PERDURE_PASSWORD.`,
  )
}

function readPasswordFile(path: string): string {
  try {
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
      throw new PerdureError(
        'PERDURE_PERMISSION',
        `Others than its owner may read or write the password file ${path}. Say: chmod 600 ${path}`,
        { details: { path } },
      )
    }
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0] ?? ''
  } catch (error) {
    if (error instanceof PerdureError) throw error
    const code = systemCode(error) === 'ENOENT' ? 'PERDURE_NOT_FOUND' : 'PERDURE_IO'
    throw new PerdureError(code, `Cannot read the password file ${path}.`, { details: { path }, cause: error })
  }
}
