import * as fs from 'node:fs'
import type { FileBinding } from '../../src/journal/journal-file.js'

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: on purpose`), { code })
}

/**
 * The real node:fs, with a system behind it that reads and writes as little as it may, and interrupts.
 *
 * @param most bytes that one call reads or writes at most
 * @param interrupt called before each call, by name; returns the code of an error, or undefined
 */
export function rudeBinding(most: number, interrupt: (call: keyof FileBinding) => string | undefined): FileBinding {
  const short = {
    ...PLAIN,
    readSync: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) =>
      fs.readSync(fd, buffer, offset, Math.min(length, most), position),
    writeSync: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) =>
      fs.writeSync(fd, buffer, offset, Math.min(length, most), position),
    writevSync: (fd: number, buffers: readonly Uint8Array[], position: number) =>
      fs.writevSync(fd, firstBytes(buffers, most), position),
  }
  const rude = Object.entries(short).map(([name, call]) => [
    name,
    (...args: unknown[]) => {
      const code = interrupt(name as keyof FileBinding)
      if (code !== undefined) throw systemError(code)
      return (call as (...all: unknown[]) => unknown)(...args)
    },
  ])
  return Object.fromEntries(rude) as FileBinding
}

function firstBytes(buffers: readonly Uint8Array[], most: number): Uint8Array[] {
  const some: Uint8Array[] = []
  for (const buffer of buffers) {
    if (most <= 0) break
    some.push(buffer.subarray(0, most))
    most -= buffer.length
  }
  return some
}

const PLAIN: FileBinding = {
  close: fs.close,
  closeSync: fs.closeSync,
  fchmodSync: fs.fchmodSync,
  fchownSync: fs.fchownSync,
  fdatasyncSync: fs.fdatasyncSync,
  fstatSync: fs.fstatSync,
  fsyncSync: fs.fsyncSync,
  ftruncateSync: fs.ftruncateSync,
  linkSync: fs.linkSync,
  openSync: fs.openSync,
  readSync: fs.readSync,
  renameSync: fs.renameSync,
  statSync: fs.statSync,
  unlinkSync: fs.unlinkSync,
  writeSync: fs.writeSync,
  writevSync: fs.writevSync,
}
