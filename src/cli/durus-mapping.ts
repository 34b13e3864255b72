import { type ClassTarget, type DurusMapping, PerdureError, type ValueConverter } from '../index.js'
import { importModule } from './client/import-classes.js'

/**
 * What a module of the user's says about the classes of a Durus file: its default export, or `classes`, maps their dotted
 * names; `values` has functions for other objects.
 *
 * @throws PerdureError `PERDURE_NOT_FOUND`, `PERDURE_ARGUMENT` if it says nothing
 */
export async function importMapping(specifier: string): Promise<DurusMapping> {
  const exports = await importModule(specifier)
  const classes = exports['classes'] ?? exports['default']
  const { values } = exports
  if (!isRecord(classes) && !isRecord(values)) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `${specifier} maps nothing: export default { 'module.Name': Class }, or values.`,
    )
  }
  return {
    ...(isRecord(classes) && { classes: classes as Readonly<Record<string, ClassTarget>> }),
    ...(isRecord(values) && { values: values as Readonly<Record<string, ValueConverter>> }),
  }
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
