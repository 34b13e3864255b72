import { readFileSync } from 'node:fs'

/**
 * How many bytes of addresses the process may still take, or undefined if it may take any number or the system does
 * not tell (only Linux does). A limit is set with `ulimit -v`.
 */
export function addressSpaceLeft(): number | undefined {
  try {
    const limit = /^Max address space\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    const taken = /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return limit === undefined || taken === undefined ? undefined : Number(limit) - Number(taken) * 1024
  } catch {
    return undefined
  }
}
