import { Flags } from '@oclif/core'
import { loadConfigFile } from './config-file.js'
import { parseValue } from './setting-value.js'
import { flagName, type SettingName, settingOf, variableName } from './settings.js'

/*
 * Settings as flags of commands. A flag that is not given takes its value from the environment, as oclif does it, and
 * then from the configuration file.
 */

/** Which configuration file is read. Every command has it. */
export const configFlag = Flags.string({
  summary: 'Configuration file to read, instead of looking for perdure.config.*',
  env: 'PERDURE_CONFIG',
  helpGroup: 'GLOBAL',
})

export function stringFlag(name: SettingName, char?: 'f' | 'u' | 'h' | 'p') {
  const { choices } = settingOf(name)
  return Flags.string({
    ...common(name),
    ...(char !== undefined && { char }),
    ...(choices !== undefined && { options: [...choices] }),
    default: async ({ flags }: DefaultContext) => (await configured(name, flags)) as string | undefined,
  })
}

export function integerFlag(name: SettingName, char?: 'p') {
  const { min, max } = settingOf(name)
  return Flags.integer({
    ...common(name),
    ...(char !== undefined && { char }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    default: async ({ flags }: DefaultContext) => (await configured(name, flags)) as number | undefined,
  })
}

/** oclif has no flags for numbers that need not be whole. */
const number = Flags.custom<number>()

export function numberFlag(name: SettingName) {
  return number({
    ...common(name),
    parse: async (text) => parseValue(name, text, `--${flagName(name)}`) as number,
    default: async ({ flags }: DefaultContext) => (await configured(name, flags)) as number | undefined,
  })
}

export function booleanFlag(name: SettingName) {
  return Flags.boolean({
    ...common(name),
    default: async ({ flags }: DefaultContext) => ((await configured(name, flags)) as boolean | undefined) ?? false,
  })
}

interface DefaultContext {
  readonly flags: Record<string, unknown>
}

function common(name: SettingName) {
  const { summary, otherwise } = settingOf(name)
  return {
    summary: otherwise === undefined ? summary : `${summary} Default: ${otherwise}.`,
    env: variableName(name),
    // The value depends on the folder in which the command is run, so it has no place in the manifest.
    noCacheDefault: true,
  }
}

async function configured(name: SettingName, flags: Record<string, unknown>) {
  const { values } = await loadConfigFile(flags['config'] as string | undefined)
  return values[name]
}
