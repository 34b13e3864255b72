import type { Config } from '@oclif/core'
import { PerdureError } from '../index.js'
import type { Registration } from '../registration.js'

/** Which plugin has registered something. */
export interface RegisteredBy {
  /** Names of serializers, each with the plugin's name. */
  readonly serializers: ReadonlyMap<string, string>
  readonly storages: ReadonlyMap<string, string>
}

/**
 * Asks every installed plugin for its modules, and imports them. A plugin that cannot be asked, or whose module cannot be
 * imported, is reported to `warn`, so that one broken plugin does not keep people from their data.
 *
 * @returns tells who has registered what
 */
export async function registerPlugins(
  config: Config,
  warn: (error: Error) => void,
): Promise<() => Promise<RegisteredBy>> {
  const owners = new Owners()
  const { successes, failures } = await config.runHook('perdure:register', {})
  for (const { error, plugin } of failures) warn(broken(plugin.name, error))
  for (const { plugin, result } of successes) {
    const { modules = [] } = (result ?? {}) as Partial<Registration>
    if (modules.length === 0) continue
    await owners.note(config.name)
    for (const module of modules) await import(module).catch((error) => warn(broken(plugin.name, error)))
    await owners.note(plugin.name)
  }
  return async () => {
    await owners.note(config.name)
    return owners
  }
}

class Owners implements RegisteredBy {
  readonly serializers = new Map<string, string>()
  readonly storages = new Map<string, string>()

  /** Whatever nobody owns yet belongs to this plugin. */
  async note(plugin: string): Promise<void> {
    // Loaded only when it is needed: both modules bring along every serializer and every kind of storage.
    const { serializerNames } = await import('../serializers/index.js')
    const { storageKinds } = await import('../storages/index.js')
    for (const name of serializerNames()) if (!this.serializers.has(name)) this.serializers.set(name, plugin)
    for (const { name } of storageKinds()) if (!this.storages.has(name)) this.storages.set(name, plugin)
  }
}

function broken(plugin: string, cause: Error): PerdureError {
  return new PerdureError(
    'PERDURE_ARGUMENT',
    `The plugin ${plugin} cannot register its serializers and storages: ${cause.message}. Update it, or remove it with: perdure plugins uninstall ${plugin}`,
    { cause },
  )
}
