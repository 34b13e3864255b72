import {
  PythonByteString,
  PythonDict,
  PythonGlobal,
  PythonObject,
  PythonSet,
  PythonTuple,
} from '../pickle/python-values.js'

/** A value of Python in a few words, for the report. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof PythonTuple) return `a tuple of ${value.items.length}`
  if (value instanceof PythonDict) return `a dict of ${value.entries.length / 2}`
  if (value instanceof PythonSet) return `a ${value.frozen ? 'frozenset' : 'set'} of ${value.items.length}`
  if (value instanceof PythonByteString) return `a str of ${value.bytes.length} bytes`
  if (value instanceof Uint8Array) return `bytes of length ${value.length}`
  if (value instanceof PythonGlobal) return value.dottedName
  if (value instanceof PythonObject) return `an instance of ${nameOf(value)}`
  return String(value).slice(0, 80)
}

function nameOf({ callable }: PythonObject): string {
  return callable instanceof PythonGlobal ? callable.dottedName : 'an unnamed class'
}
