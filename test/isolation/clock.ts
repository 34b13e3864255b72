/** What the clients of a workload share, so that "ended before it began" is a fact and not a measurement. */
export interface Clock {
  /** A time later than every one given before. */
  tick(): number
  /** The next of the numbers from 0 that are shared out among the clients. */
  ticket(): number | Promise<number>
}
