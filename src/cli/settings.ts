/** One thing that a user can set: by a flag, in the environment, or in a configuration file. */
export interface Setting {
  readonly kind: 'string' | 'integer' | 'number' | 'boolean'
  /** One sentence for `--help`. */
  readonly summary: string
  /** What can be given, if it is one of a few. */
  readonly choices?: readonly string[]
  /** Of a text that names a file: a path, or a module, which may be that of a package as well. */
  readonly place?: 'path' | 'module'
  /** What holds if nobody says anything, in words for `--help`. */
  readonly otherwise?: string
  readonly min?: number
  readonly max?: number
}

/**
 * All settings, by the names they have in a configuration file. The flag is the name in kebab-case, the environment
 * variable is the name in upper case with `PERDURE_` before it.
 */
export const SETTINGS = {
  file: { kind: 'string', place: 'path', summary: 'Path of the database file.' },
  url: {
    kind: 'string',
    summary: 'Address of a server: perdure://host:port, perdure+tls://..., perdure+unix:///path.',
  },
  readonly: { kind: 'boolean', summary: 'Change nothing.' },
  serializer: { kind: 'string', summary: 'Serializer of a new database.', otherwise: 'msgpack' },
  storage: { kind: 'string', summary: 'Kind of storage of a new database.', otherwise: 'file' },
  durability: {
    kind: 'string',
    summary: 'What a commit survives: fsync a power cut, os the end of the process.',
    choices: ['fsync', 'os'],
    otherwise: 'fsync',
  },
  index: {
    kind: 'string',
    summary: 'Load the index of a file as it is needed (paged), or all of it when the file is opened (memory).',
    choices: ['paged', 'memory'],
    otherwise: 'paged',
  },
  repair: { kind: 'boolean', summary: 'If the file is damaged, repair it first; the damaged one is kept beside it.' },
  host: { kind: 'string', summary: 'Host name or address of the server.', otherwise: '127.0.0.1' },
  port: {
    kind: 'integer',
    summary: 'TCP port of the server; 0 for any free one.',
    otherwise: '2972',
    min: 0,
    max: 65_535,
  },
  socket: { kind: 'string', place: 'path', summary: 'Path of a Unix socket, or @name for an abstract one (Linux).' },
  owner: { kind: 'string', summary: 'Owner of the Unix socket.' },
  group: { kind: 'string', summary: 'Group of the Unix socket.' },
  umask: { kind: 'string', summary: 'Permissions that the Unix socket is not to have, in octal.', otherwise: '077' },
  tlsCert: { kind: 'string', place: 'path', summary: 'File with the certificate, in PEM.' },
  tlsKey: { kind: 'string', place: 'path', summary: 'File with the private key, in PEM, readable by its owner only.' },
  tlsCa: { kind: 'string', place: 'path', summary: 'File with the certificates of authorities to trust, in PEM.' },
  insecure: { kind: 'boolean', summary: 'Allow connections from other machines without TLS.' },
  users: { kind: 'string', place: 'path', summary: 'File with the users who may log in; see `perdure users`.' },
  user: { kind: 'string', summary: 'Name to log in with.' },
  passwordFile: { kind: 'string', place: 'path', summary: 'File with the password to log in with.' },
  allowRemoteStop: { kind: 'boolean', summary: 'Let clients stop the server.' },
  gcBytes: { kind: 'integer', summary: 'Pack after this many bytes have been committed.', min: 1 },
  gcInterval: { kind: 'string', summary: 'Pack every so often, for example 12h.' },
  gcGarbageRatio: {
    kind: 'number',
    summary: 'Pack when about this share of the bytes, 0 to 1, is garbage.',
    min: 0,
    max: 1,
  },
  cacheSize: {
    kind: 'integer',
    summary: 'Number of objects that a connection keeps in memory.',
    otherwise: '20000',
    min: 1,
  },
  timeoutMs: {
    kind: 'integer',
    summary: 'How long to wait for a server, in ms.',
    otherwise: '10000 to get in, 30000 for an answer',
    min: 1,
  },
  startup: { kind: 'string', place: 'module', summary: 'File of code that the client runs first.' },
  classes: { kind: 'string', place: 'module', summary: 'Module whose exported persistent classes are known.' },
  pidFile: { kind: 'string', place: 'path', summary: 'File with the number of the server process.' },
  logFile: { kind: 'string', place: 'path', summary: 'File that the server logs to.', otherwise: 'standard error' },
  logLevel: {
    kind: 'string',
    summary: 'How much the server logs.',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    otherwise: 'info',
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[]

export function settingOf(name: SettingName): Setting {
  return SETTINGS[name]
}

/** `gcBytes` is `--gc-bytes`. */
export function flagName(name: SettingName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `gcBytes` is `PERDURE_GC_BYTES`. */
export function variableName(name: SettingName): string {
  return `PERDURE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}
