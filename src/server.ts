export type { DestinationStream } from 'pino'
export type { RunningServer, RunningStatistics, ServedAddress } from './running-server.js'
export { serve } from './serve.js'
export type { LogLevel, LogOptions } from './serve-log.js'
export type { ServeOptions, SocketOptions } from './serve-options.js'
export type { Address, AddressLike } from './server/address.js'
export {
  addUser,
  changeUser,
  type ListedUser,
  listUsers,
  type NewUser,
  removeUser,
} from './server/auth/edit-credentials.js'
export * from './server/index.js'
export type { TlsFiles } from './server/listen/tls-files.js'
