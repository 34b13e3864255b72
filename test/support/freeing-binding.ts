import * as fs from 'node:fs'
import type { FileBinding } from '../../src/journal/journal-file.js'

/** A call after which the system has to free a file. */
export type FreeingCall = 'close' | 'closeSync' | 'renameSync' | 'unlinkSync'

/** Smaller ones are no matter. */
const LARGE_BYTES = 100_000

/** The real node:fs, which notes each call that makes the system free a large file that was opened through it. */
export class FreeingBinding {
  readonly binding: FileBinding
  readonly freed: FreeingCall[] = []
  readonly #open = new Map<number, number>()

  constructor() {
    this.binding = {
      ...fs,
      openSync: (...args: Parameters<typeof fs.openSync>) => {
        const fd = fs.openSync(...args)
        this.#open.set(fd, fs.fstatSync(fd).ino)
        return fd
      },
      closeSync: (fd: number) => {
        this.#close('closeSync', fd)
        fs.closeSync(fd)
      },
      close: (fd, done) => {
        this.#close('close', fd)
        fs.close(fd, done)
      },
      renameSync: (from: string, to: string) => {
        this.#takeName('renameSync', to)
        fs.renameSync(from, to)
      },
      unlinkSync: (path: string) => {
        this.#takeName('unlinkSync', path)
        fs.unlinkSync(path)
      },
    } as FileBinding
  }

  #close(call: FreeingCall, fd: number): void {
    const { nlink, ino, size } = fs.fstatSync(fd)
    this.#open.delete(fd)
    if (nlink === 0 && size > LARGE_BYTES && !this.#isOpen(ino)) this.freed.push(call)
  }

  #takeName(call: FreeingCall, path: string): void {
    const found = fs.statSync(path, { throwIfNoEntry: false })
    if (found?.nlink === 1 && found.size > LARGE_BYTES && !this.#isOpen(found.ino)) this.freed.push(call)
  }

  #isOpen(ino: number): boolean {
    return [...this.#open.values()].includes(ino)
  }
}
