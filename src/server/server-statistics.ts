import { LatencyHistogram } from './latency-histogram.js'

/** What a server has done since it started. */
export interface ServerFigures {
  /** Connections now, whether they have been welcomed or not. */
  readonly clients: number
  readonly connections: number
  /** Held by clients now: about as many as transactions are open. Those of Durus clients hold none. */
  readonly snapshots: number
  /** Connections that were not let in, or were closed because of what they sent. */
  readonly refusals: number
  /** Records sent, those sent ahead included. */
  readonly loads: number
  readonly commits: number
  readonly conflicts: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly loadP50Ms: number
  readonly loadP99Ms: number
  readonly commitP50Ms: number
  readonly commitP99Ms: number
}

/** Counters shared by all sessions of a server, whatever protocol they speak. */
export class ServerStatistics {
  clients = 0
  connections = 0
  snapshots = 0
  refusals = 0
  loads = 0
  commits = 0
  conflicts = 0
  bytesIn = 0
  bytesOut = 0
  /** How long the server worked on a load, in ms. */
  readonly loadLatency = new LatencyHistogram()
  /** From the arrival of a commit to its answer, in ms. */
  readonly commitLatency = new LatencyHistogram()

  figures(): ServerFigures {
    const { clients, connections, snapshots, refusals, loads, commits, conflicts, bytesIn, bytesOut } = this
    return {
      clients,
      connections,
      snapshots,
      refusals,
      loads,
      commits,
      conflicts,
      bytesIn,
      bytesOut,
      loadP50Ms: this.loadLatency.percentileMs(0.5),
      loadP99Ms: this.loadLatency.percentileMs(0.99),
      commitP50Ms: this.commitLatency.percentileMs(0.5),
      commitP99Ms: this.commitLatency.percentileMs(0.99),
    }
  }
}
