import type { ConfigFile } from './config-file.js'
import { parseValue, type SettingValue } from './setting-value.js'
import { SETTING_NAMES, type SettingName, settingOf, variableName } from './settings.js'

/** What holds for one setting where no flag is given, and where that comes from. */
export interface EffectiveSetting {
  readonly name: SettingName
  /** Undefined if nobody has said anything. */
  readonly value: SettingValue | undefined
  /** An environment variable, a path, `default`, or '' where there is no value. */
  readonly source: string
}

/**
 * What holds for one setting where no flag is given: the environment goes before the configuration file. A variable
 * that is empty says nothing.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if a variable has a value that cannot be
 */
export function effectiveSetting(name: SettingName, file: ConfigFile, environment = process.env): EffectiveSetting {
  const variable = variableName(name)
  const text = environment[variable]
  if (text) return { name, value: parseValue(name, text, variable), source: variable }
  const value = file.values[name]
  if (value !== undefined) return { name, value, source: file.path ?? '' }
  const { otherwise } = settingOf(name)
  return { name, value: otherwise, source: otherwise === undefined ? '' : 'default' }
}

/** {@link effectiveSetting} of all. */
export function effectiveSettings(file: ConfigFile, environment = process.env): EffectiveSetting[] {
  return SETTING_NAMES.map((name) => effectiveSetting(name, file, environment))
}

/** The variables of an environment that are settings. */
export function settingsIn(environment: NodeJS.ProcessEnv): Record<string, string> {
  const names = ['PERDURE_CONFIG', ...SETTING_NAMES.map(variableName)]
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])))
}
