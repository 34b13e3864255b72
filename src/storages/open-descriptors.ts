import { type BigIntStats, fstatSync, readdirSync } from 'node:fs'

/** Where Linux and macOS list what a process has open. Windows has no such list, nor locks that need it. */
const DESCRIPTORS = '/dev/fd'

/** Which file it is, whatever its name. */
export function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

/**
 * What is read by a descriptor that any part of this process, in whatever thread, has open. Whoever has opened it may
 * close it at any time, and the number may then be another file's: so it is looked at again afterwards.
 *
 * @param file as {@link identityOf} gives it
 * @returns undefined if the file is not open, or not for reading
 */
export function findDescriptor<T>(file: string, read: (descriptor: number) => T): T | undefined {
  for (const descriptor of descriptors()) {
    try {
      if (identityOf(fstatSync(descriptor, { bigint: true })) !== file) continue
      const found = read(descriptor)
      if (identityOf(fstatSync(descriptor, { bigint: true })) === file) return found
    } catch {
      // It has been closed meanwhile, or is open for writing only.
    }
  }
  return undefined
}

function descriptors(): number[] {
  try {
    return readdirSync(DESCRIPTORS).map(Number)
  } catch {
    return []
  }
}
