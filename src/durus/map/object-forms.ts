import type { State } from '../../core/serializer.js'
import { PythonDict, PythonGlobal, type PythonObject } from '../pickle/python-values.js'
import { dateOf, datetimeOf, type PythonDatetime, timeOf } from './dates.js'
import type { StateMapper } from './state-mapper.js'

/**
 * Maps an instance of a class that is not persistent: datetimes and dates to a Date, an OrderedDict to a Map, and all
 * others to a plain form that loses nothing: see docs/durus.md.
 */
export function mapObject(mapper: StateMapper, object: PythonObject): unknown {
  const name = object.callable instanceof PythonGlobal ? object.callable.dottedName : undefined
  switch (name) {
    case 'datetime.datetime': {
      const datetime = datetimeOf(object)
      if (datetime !== undefined) return mapDatetime(mapper, object, datetime)
      break
    }
    case 'datetime.date': {
      const ms = dateOf(object)
      if (ms === undefined) break
      mapper.note('date', object, 'a Date, midnight UTC')
      return mapper.same(object, new Date(ms))
    }
    case 'datetime.time': {
      const text = timeOf(object)
      if (text !== undefined) return withText(mapper, object, name, text)
      break
    }
    case 'uuid.UUID': {
      const text = uuidOf(object)
      if (text !== undefined) return withText(mapper, object, name, text)
      break
    }
    case 'collections.OrderedDict': {
      const entries = orderedEntries(object)
      if (entries === undefined) break
      mapper.note('python-object', object, 'a Map')
      return mapper.map(object, entries)
    }
  }
  return mapAny(mapper, object, name)
}

function mapDatetime(mapper: StateMapper, object: PythonObject, datetime: PythonDatetime): unknown {
  const { utcMs, microseconds, offsetMs, unknownZone, iso } = datetime
  if (unknownZone !== undefined) {
    mapper.note('python-object', object, 'a plain form, as its time zone is not known')
    const form: State = mapper.same(object, { $python: 'datetime.datetime', args: [iso] })
    ;(form['args'] as unknown[]).push(mapper.at('zone', unknownZone))
    return form
  }
  if (offsetMs === undefined) mapper.noteAs('naive-datetime', iso, 'a Date, taken as UTC')
  else if (offsetMs !== 0) mapper.noteAs('time-zone', `${iso}, ${offsetMs / 60_000} min ahead of UTC`, 'a Date, in UTC')
  if (microseconds !== 0) mapper.noteAs('microseconds', iso, 'a Date, in ms')
  return mapper.same(object, new Date(utcMs - (offsetMs ?? 0)))
}

/** A plain form whose only argument is a text. */
function withText(mapper: StateMapper, object: PythonObject, name: string, text: string): unknown {
  return finished(mapper, object, name, mapper.same(object, { $python: name, args: [text] }))
}

/** The plain form of any object: what makes it, and all that it would be given. */
function mapAny(mapper: StateMapper, object: PythonObject, name: string | undefined): unknown {
  const { args, keywords, state, listItems, dictItems } = object
  const form: State = mapper.same(object, { $python: name ?? '' })
  if (name === undefined) form['$python'] = mapper.at('$python', object.callable)
  if (args.length > 0) form['args'] = mapper.at('args', [...args])
  if (keywords !== undefined && keywords.entries.length > 0) form['keywords'] = mapper.at('keywords', keywords)
  if (state !== undefined) form['state'] = mapper.at('state', state)
  if (listItems !== undefined) form['items'] = mapper.at('items', listItems)
  if (dictItems !== undefined) form['entries'] = mapper.at('entries', dictItems)
  return finished(mapper, object, name ?? '', form)
}

/** Lets a converter of the user's have the form. */
function finished(mapper: StateMapper, object: PythonObject, name: string, form: State): unknown {
  const convert = mapper.converters.get(name)
  if (convert === undefined) {
    mapper.note('python-object', object, 'a plain form')
    return form
  }
  try {
    mapper.converted = true
    return mapper.replace(object, convert(form))
  } catch (cause) {
    throw mapper.converterFailed(name, cause)
  }
}

const UUID_DIGITS = 32

function uuidOf({ args, state, isNew }: PythonObject): string | undefined {
  if (!isNew || args.length > 0 || !(state instanceof PythonDict)) return undefined
  const value = state.entries[state.entries.indexOf('int') + 1]
  if ((typeof value !== 'bigint' && typeof value !== 'number') || value < 0) return undefined
  const digits = value.toString(16).padStart(UUID_DIGITS, '0')
  if (digits.length !== UUID_DIGITS) return undefined
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Keys and values in turn: those set in a dict that was empty, or, by Python 2, a list of lists of two. */
function orderedEntries({ args, dictItems, state }: PythonObject): readonly unknown[] | undefined {
  if (state !== undefined) return undefined
  if (args.length === 0) return dictItems ?? []
  const [pairs] = args
  if (args.length > 1 || dictItems !== undefined || !Array.isArray(pairs)) return undefined
  return pairs.every((pair) => Array.isArray(pair) && pair.length === 2) ? pairs.flat() : undefined
}
