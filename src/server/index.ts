export {
  type Authenticator,
  anonymous,
  type Exchange,
  type ExchangeStep,
  type Identity,
  type PeerContext,
} from './authentication.js'
export { CommitGate } from './commit-gate.js'
export type { Protocol1Limits } from './durus/limits.js'
export type { Limits, Role } from './protocol/messages.js'
export { type ServerEvent, type ServerLog, SILENT } from './server-log.js'
export type { ServerFigures } from './server-statistics.js'
export { StorageServer, type StorageServerOptions } from './storage-server.js'
