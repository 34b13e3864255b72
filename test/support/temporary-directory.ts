import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for the files of one test, to be removed in `afterEach`. */
export class TemporaryDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'perdure-test-'))

  join(name: string): string {
    return join(this.path, name)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
