import { setTimeout as pause } from 'node:timers/promises'

/** Waits until something holds, as long as the test may take. */
export async function condition(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(1)
}
