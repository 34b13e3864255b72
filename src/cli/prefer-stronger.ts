import { type SettingName, variableName } from './settings.js'

/** The ways to say which database is meant. One is enough. */
const WAYS: readonly (readonly (readonly [flag: string, setting: SettingName])[])[] = [
  [['file', 'file']],
  [['url', 'url']],
  [['socket', 'socket']],
  [
    ['host', 'host'],
    ['port', 'port'],
  ],
  [['pid-file', 'pidFile']],
]

/**
 * Takes away the values of flags that say which database is meant, if another one says so with more right: what is on
 * the command line goes before the environment, and that before the configuration file. So `--url` is not overruled by
 * a file that is configured.
 *
 * @param onCommandLine names of the flags that are given there
 */
export function preferStronger(
  flags: Record<string, unknown>,
  onCommandLine: ReadonlySet<string>,
  environment = process.env,
): void {
  const rankOf = ([flag, setting]: readonly [string, SettingName]) => {
    if (flags[flag] === undefined) return 0
    if (onCommandLine.has(flag)) return 3
    return environment[variableName(setting)] ? 2 : 1
  }
  const ranks = WAYS.map((way) => Math.max(...way.map(rankOf)))
  const highest = Math.max(...ranks)
  for (const [i, way] of WAYS.entries()) {
    if (ranks[i] === highest) continue
    for (const [flag] of way) delete flags[flag]
  }
}
