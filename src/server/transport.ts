import type { Tid } from '../core/oid.js'
import type { PeerContext } from './authentication.js'

/** The way back to one client: a socket, or something in a test that behaves like one. */
export interface Transport extends PeerContext {
  /** Bytes that have been written and that the system has not taken yet. */
  readonly queuedBytes: number
  /** Sends these bytes, in order. They must not change afterwards. {@link ServerSession.drained} is called when all are gone. */
  write(buffers: readonly Uint8Array[]): void
  /** Lets nothing more arrive until {@link resume}. */
  pause(): void
  resume(): void
  /** Sends what has been written, as far as the client takes it within a short time, then ends the connection. */
  close(): void
}

/** What a protocol makes of a connection. The server calls it; it answers through its {@link Transport}. */
export interface ServerSession {
  /** Bytes have arrived, the first ones of the connection included. Not called while the transport is paused. */
  receive(chunk: Buffer): void
  /** All that was written has been sent. */
  drained(): void
  /** The connection is over, whoever ended it. Called once, at the end; everything held must be given up. */
  ended(): void
  /** The server stops: finish the commits under way, answer them, take nothing more, close. */
  stop(): Promise<void>
  /**
   * Called about once a second; must be cheap if there is nothing to do.
   *
   * @param newestTid how far the storage has got; undefined if there is no time to tell clients of changes
   * @returns whether the client was told something
   */
  tick(newestTid: Tid | undefined): boolean
}
