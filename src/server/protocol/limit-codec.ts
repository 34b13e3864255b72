import type { JsonFields } from './json-fields.js'
import type { Limits } from './messages.js'
import type { PayloadReader } from './payload-reader.js'

/** Nobody may ask the other side for less: a frame that holds an ordinary message, one request, one snapshot. */
export const LEAST_LIMITS: Limits = { frameBytes: 65_536, requests: 1, snapshots: 1 }

/** The limits in `hello` and `welcome`. */
export function readLimits(input: PayloadReader, fields: JsonFields): Limits {
  const limits = {
    frameBytes: fields.id('frameBytes'),
    requests: fields.id('requests'),
    snapshots: fields.id('snapshots'),
  }
  const { frameBytes, requests, snapshots } = LEAST_LIMITS
  if (limits.frameBytes < frameBytes || limits.requests < requests || limits.snapshots < snapshots) {
    throw input.error('its limits leave no room to work')
  }
  return limits
}
