import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PerdureError } from '../index.js'
import { checkOptions } from '../options.js'
import { checkValue, type SettingValue } from './setting-value.js'
import { SETTING_NAMES, type SettingName, settingOf } from './settings.js'

/** Where a configuration file is looked for: in each folder from the current one up to the home folder or the root. */
const PLACES = ['json', 'js', 'mjs', 'cjs', 'ts'].map((extension) => `perdure.config.${extension}`)

/** What a configuration file says. */
export interface ConfigFile {
  /** Undefined if there is no file. */
  readonly path: string | undefined
  readonly values: Readonly<Partial<Record<SettingName, SettingValue>>>
}

const loaded = new Map<string, Promise<ConfigFile>>()

/**
 * Reads the configuration file, once.
 *
 * @param path the file to read; undefined to look for one
 * @throws PerdureError `PERDURE_NOT_FOUND`, or `PERDURE_ARGUMENT` if it cannot be read, has a setting that does not
 *   exist or a value that cannot be
 */
export async function loadConfigFile(path?: string): Promise<ConfigFile> {
  if (path === '') throw new PerdureError('PERDURE_ARGUMENT', 'The path of the configuration file is empty.')
  const key = path === undefined ? `from ${process.cwd()}` : resolve(path)
  const known = loaded.get(key) ?? readConfigFile(path)
  loaded.set(key, known)
  return known
}

async function readConfigFile(path: string | undefined): Promise<ConfigFile> {
  const { lilconfig } = await import('lilconfig')
  const loaders = {
    '.json': readJson,
    '.js': importModule,
    '.mjs': importModule,
    '.cjs': importModule,
    '.ts': importModule,
  }
  const finder = lilconfig('perdure', { searchPlaces: PLACES, stopDir: homedir(), loaders, cache: false })
  const found = await (path === undefined ? finder.search() : finder.load(resolve(path))).catch((cause) => {
    throw unreadable(path, cause)
  })
  if (found === null) return { path: undefined, values: {} }
  return { path: found.filepath, values: checkConfig(found.filepath, found.config ?? {}) }
}

function checkConfig(path: string, config: unknown): ConfigFile['values'] {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new PerdureError('PERDURE_ARGUMENT', `${path} must hold an object with settings.`, { details: { path } })
  }
  checkOptions(path, config, SETTING_NAMES)
  const entries = Object.entries(config) as [SettingName, unknown][]
  return Object.fromEntries(
    entries.map(([name, value]) => [name, fromFolder(dirname(path), name, checkValue(name, value, path))]),
  )
}

/** Paths are meant from the folder of the file that says them, since the file also holds in the folders below. */
function fromFolder(folder: string, name: SettingName, value: SettingValue): SettingValue {
  const { place } = settingOf(name)
  if (place === undefined || typeof value !== 'string' || value.startsWith('@')) return value
  // What is no path is the name of a package.
  if (place === 'module' && !/^\.|\.[cm]?[jt]s$/.test(value)) return value
  return resolve(folder, value)
}

function readJson(path: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

async function importModule(path: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown }
    return module.default
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string | undefined, cause: unknown): PerdureError {
  if (cause instanceof PerdureError) return cause
  const where = path ?? 'the configuration file'
  const { code, message } = cause as NodeJS.ErrnoException
  const details = path === undefined ? {} : { path }
  if (code === 'ENOENT') return new PerdureError('PERDURE_NOT_FOUND', `There is no ${where}.`, { details, cause })
  const hint = code === 'ERR_UNKNOWN_FILE_EXTENSION' ? ' Node.js reads TypeScript from 22.18 on; use .js or .json.' : ''
  return new PerdureError('PERDURE_ARGUMENT', `${where} cannot be read: ${message}.${hint}`, { details, cause })
}
