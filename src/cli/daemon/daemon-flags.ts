import { stringFlag } from '../setting-flags.js'
import { targetFlags } from '../target.js'

/** Flags that say which server is meant. */
export const daemonFlags = { ...targetFlags, 'pid-file': stringFlag('pidFile') }
