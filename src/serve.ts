import type { Socket } from 'node:net'
import { PerdureError } from './core/errors.js'
import { PackSchedule } from './core/pack-schedule.js'
import { PICKLE } from './core/pickle.js'
import type { Storage } from './core/storage.js'
import { openPath } from './open-path.js'
import { RunningServer } from './running-server.js'
import { checkKnown } from './serializers/registry.js'
import { reasonOf, ServeLog } from './serve-log.js'
import {
  checkExposure,
  checkServeOptions,
  isServeOption,
  SERVE_OPTIONS,
  type ServeOptions,
  type ServeSettings,
} from './serve-options.js'
import { type Address, isAddressUrl } from './server/address.js'
import { CredentialsFile } from './server/auth/credentials-file.js'
import { PasswordAuthenticator } from './server/auth/password-authenticator.js'
import { anonymous } from './server/authentication.js'
import { Listener, type ListenTarget } from './server/listen/listener.js'
import { peerContext } from './server/listen/peer.js'
import { activatedSockets } from './server/listen/socket-activation.js'
import { type LoadedTls, loadTls } from './server/listen/tls-files.js'
import { StorageServer } from './server/storage-server.js'

/**
 * Serves a database to other processes. When the promise resolves, clients can connect.
 *
 * ```ts
 * const server = await serve('bank.perdure', { users: '/etc/perdure/users', signals: true })
 * console.log(server.addresses[0].url)
 * await server.closed
 * ```
 *
 * @param location a file's path, which is created if it does not exist; or nothing, for a temporary database; or an open
 *   Storage, which stays open when the server stops
 * @throws PerdureError `PERDURE_ARGUMENT`; `PERDURE_LOCKED` if another server listens at an address, or another process
 *   has the file open for writing; `PERDURE_PERMISSION`, also if others may read the credentials or the key; and what
 *   `open()` throws for the file
 */
export async function serve(location?: string | Storage, options: ServeOptions = {}): Promise<RunningServer> {
  const settings = await checkServeOptions(options)
  const log = await ServeLog.open(settings.log)
  const undo: (() => unknown)[] = []
  try {
    const credentials = settings.users === undefined ? undefined : await CredentialsFile.load(settings.users)
    const tls = settings.tls === undefined ? undefined : await loadTls(settings.tls)
    if (tls !== undefined) warnOfExpiry(tls, log)
    const targets = listenTargets(settings)
    const storage = await openStorage(location, options)
    const ownsStorage = storage !== location
    if (ownsStorage) undo.unshift(() => storage.close())
    const schedule = schedulePacks(storage, options, log)
    undo.unshift(() => schedule?.stop())
    let stopEarly = false
    let server: RunningServer | undefined
    const core = new StorageServer({
      storage,
      databaseId: databaseIdOf(storage),
      authenticator: credentials === undefined ? anonymous(settings.anonymous) : new PasswordAuthenticator(credentials),
      limits: settings.limits,
      maxConnections: settings.maxConnections,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      allowStop: settings.allowRemoteStop,
      log,
      onStopRequest: () => {
        stopEarly = true
        server?.stopSoon('a client')
      },
    })
    undo.unshift(() => core.stop())
    const listeners = await openListeners(targets, { core, settings, options, tls, log }, undo)
    const { signals } = settings
    server = new RunningServer({
      storage,
      ownsStorage,
      schedule,
      core,
      listeners,
      log,
      signals,
      credentials,
      tls: settings.tls,
    })
    if (stopEarly) server.stopSoon('a client')
    return server
  } catch (error) {
    // Of what is wrong with an option, a file or an address, the stack says nothing.
    const fields = error instanceof PerdureError ? reasonOf(error) : { err: error }
    log.note('error', 'startFailed', fields, 'cannot serve')
    for (const step of undo) await quietly(step)
    await log.close()
    throw error
  }
}

/** What goes wrong is less than the error that has led here. */
async function quietly(step: () => unknown): Promise<void> {
  try {
    await step()
  } catch {}
}

interface Surroundings {
  readonly core: StorageServer
  readonly settings: ServeSettings
  readonly options: ServeOptions
  readonly tls: LoadedTls | undefined
  readonly log: ServeLog
}

function listenTargets({ socketActivation, addresses }: ServeSettings): ListenTarget[] {
  const passed = socketActivation ? activatedSockets() : []
  const targets: ListenTarget[] = [...passed.map((fd) => ({ kind: 'fd', fd }) as const), ...addresses]
  if (targets.length > 0) return targets
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    'There is nowhere to listen: no socket was passed by systemd, and no address was given. Start the .socket unit, or give listen.',
  )
}

async function openListeners(
  targets: readonly ListenTarget[],
  { core, settings, options, tls, log }: Surroundings,
  undo: (() => unknown)[],
): Promise<Listener[]> {
  const listeners: Listener[] = []
  for (const target of targets) {
    const listener = await Listener.open(target, {
      accept: (socket, address) => accept(core, socket, address),
      refused: (peer, error) => log.write({ event: 'refused', peer, error }),
      tls,
      access: settings.access,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
    })
    undo.unshift(() => listener.close())
    if (listener.address.kind === 'tcp') checkExposure(listener.address.host, options)
    listeners.push(listener)
  }
  return listeners
}

function accept(core: StorageServer, socket: Socket, address: Address): void {
  const context = peerContext(socket, address)
  if (context !== undefined) core.accept(socket, context)
  else socket.destroy()
}

async function openStorage(location: string | Storage | undefined, options: ServeOptions): Promise<Storage> {
  if (typeof location === 'object') {
    if (typeof (location as Partial<Storage>).snapshot !== 'function') {
      throw new PerdureError('PERDURE_ARGUMENT', 'serve takes a path, an open storage, or nothing.')
    }
    const tooLate = Object.keys(options).find((name) => !isServeOption(name))
    if (tooLate === undefined) return location
    throw new PerdureError('PERDURE_ARGUMENT', `The storage is open already: the option ${tooLate} comes too late.`)
  }
  if (location !== undefined && isAddressUrl(location)) {
    throw new PerdureError('PERDURE_UNSUPPORTED', `${location} is served already. Give a file's path.`)
  }
  const { serializer } = options
  // Before anything is created: an unknown name must not end up in a file. States of Durus clients are not decoded.
  if (serializer !== undefined && serializer !== PICKLE) checkKnown(serializer)
  return openPath(location, { ...options }, 'serve', SERVE_OPTIONS)
}

/** '' of those that have none. */
function databaseIdOf(storage: Storage): string {
  const { databaseId } = storage as { databaseId?: unknown }
  return typeof databaseId === 'string' ? databaseId : ''
}

/** Packs that are due are told of in the log, as well as to whom the options name. */
function schedulePacks(storage: Storage, options: ServeOptions, log: ServeLog): PackSchedule | undefined {
  const { gcBytes, gcInterval, gcGarbageRatio, gcRetain, onPack, onPackError } = options
  const onFailure = (error: unknown): void => {
    log.note('error', 'packFailed', { err: error }, 'a pack that was due has failed')
    onPackError?.(error)
  }
  return PackSchedule.start(storage, {
    ...{ gcBytes, gcInterval, gcGarbageRatio, gcRetain },
    onPack: (result) => {
      log.note('info', 'packed', { result }, 'packed because it was due')
      onPack?.(result)
    },
    // Where nobody would hear of it, the process is warned.
    onPackError: onPackError === undefined && options.log === undefined ? undefined : onFailure,
  })
}

function warnOfExpiry({ validTo }: LoadedTls, log: ServeLog): void {
  if (validTo.getTime() > Date.now()) return
  log.note('warn', 'certificateExpired', { validTo }, 'clients will refuse the certificate of this server')
}
