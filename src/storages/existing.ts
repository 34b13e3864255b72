import { PerdureError } from '../core/errors.js'

export function missing(path: string): PerdureError {
  return new PerdureError('PERDURE_NOT_FOUND', `There is no database at ${path}.`, { details: { path } })
}

/** @throws PerdureError `PERDURE_SERIALIZER` if a database was created with another serializer than the one asked for */
export function checkSerializer(path: string, stored: string, asked: string | undefined): void {
  if (asked === undefined || asked === stored) return
  throw new PerdureError(
    'PERDURE_SERIALIZER',
    `${path} was created with the serializer "${stored}" and cannot be opened with "${asked}".`,
    { details: { path, stored, asked } },
  )
}
