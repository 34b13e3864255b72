import type { Config } from '@oclif/core'
import { PerdureError } from '../index.js'
import type { Registration } from '../registration.js'
import { serializerNames } from '../serializers/index.js'
import { storageKinds } from '../storages/index.js'

/** Which plugin has registered something. */
export interface RegisteredBy {
  /** Names of serializers, each with the plugin's name. */
  readonly serializers: ReadonlyMap<string, string>
  readonly storages: ReadonlyMap<string, string>
}

/**
 * Asks every installed plugin for its modules, and imports them. A plugin that cannot be asked, or whose module cannot be
 * imported, is reported to `warn`, so that one broken plugin does not keep people from their data.
 */
export async function registerPlugins(config: Config, warn: (error: Error) => void): Promise<RegisteredBy> {
  const serializers = new Map<string, string>()
  const storages = new Map<string, string>()
  const noteAll = (owner: string) => {
    note(serializers, serializerNames(), owner)
    note(
      storages,
      storageKinds().map(({ name }) => name),
      owner,
    )
  }
  noteAll(config.name)
  const { successes, failures } = await config.runHook('perdure:register', {})
  for (const { error, plugin } of failures) warn(broken(plugin.name, error))
  for (const { plugin, result } of successes) {
    for (const module of (result as Registration | undefined)?.modules ?? []) {
      await import(module).catch((error) => warn(broken(plugin.name, error)))
    }
    noteAll(plugin.name)
  }
  return { serializers, storages }
}

function note(owners: Map<string, string>, names: readonly string[], owner: string): void {
  for (const name of names) if (!owners.has(name)) owners.set(name, owner)
}

function broken(plugin: string, cause: Error): PerdureError {
  return new PerdureError(
    'PERDURE_ARGUMENT',
    `The plugin ${plugin} cannot register its serializers and storages: ${cause.message}. Update it, or remove it with: perdure plugins uninstall ${plugin}`,
    { cause },
  )
}
