import type { ClientOptions } from './client.js'
import type { Transaction } from './history.js'

/** What a process of clients is to do. */
export interface ProcessTask {
  readonly url: string
  readonly clients: readonly number[]
  readonly options: ClientOptions
}

/** To a process of clients: what to do; then tickets, as they are asked for. */
export type ToProcess = { readonly task: ProcessTask } | { readonly ticket: number }

export type FromProcess = 'ticket' | { readonly history: readonly Transaction[] }
