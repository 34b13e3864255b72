import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PerdureError, Persistent, type PersistentClass } from '../../index.js'

/** What a module of the user's exports, and which of it are persistent classes. */
export interface ImportedClasses {
  readonly exports: Readonly<Record<string, unknown>>
  readonly classes: readonly PersistentClass[]
}

/**
 * Imports a module of the user's.
 *
 * @param specifier a path, relative to the current folder, or the name of a package that is found from there
 * @throws PerdureError `PERDURE_NOT_FOUND`, or `PERDURE_ARGUMENT` if it cannot be imported
 */
export async function importClasses(specifier: string): Promise<ImportedClasses> {
  const exports = await importModule(specifier)
  const classes = Object.values(exports).filter(isPersistentClass)
  return { exports, classes: [...new Set(classes)] }
}

/** @throws as {@link importClasses} */
export async function importModule(specifier: string): Promise<Record<string, unknown>> {
  try {
    return (await import(locate(specifier))) as Record<string, unknown>
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
      throw new PerdureError('PERDURE_NOT_FOUND', `${specifier} cannot be imported: ${message}`, { cause })
    }
    throw new PerdureError('PERDURE_ARGUMENT', `${specifier} cannot be imported: ${message}`, { cause })
  }
}

/** A path as a URL; a package as the URL of its entry, as seen from the current folder. */
function locate(specifier: string): string {
  if (/^[a-z]+:/i.test(specifier)) return specifier
  const isPackage = /^(@[\w.-]+\/)?[\w-][\w.-]*(\/|$)/.test(specifier) && !/\.[cm]?[jt]s$/.test(specifier)
  if (!isPackage) return pathToFileURL(resolve(specifier)).href
  return pathToFileURL(createRequire(pathToFileURL(resolve('noop.js'))).resolve(specifier)).href
}

function isPersistentClass(value: unknown): value is PersistentClass {
  return typeof value === 'function' && value.prototype instanceof Persistent
}
