import type { VerifyProblem, VerifyReport } from '../../core/storage.js'
import type { FrameWriter } from './frame-writer.js'
import { type JsonFields, readJson, writeJson } from './json-fields.js'
import type { PayloadReader } from './payload-reader.js'

const KINDS = ['damaged', 'undecodable', 'dangling-reference', 'wrong-class', 'index'] as const

/** JSON has no Map: the classes are a list of names and numbers, in the order of the map. */
export function writeReport(out: FrameWriter, report: VerifyReport): void {
  writeJson(out, { ...report, classes: Array.from(report.classes, ([name, count]) => ({ name, count })) })
}

export function readReport(input: PayloadReader): VerifyReport {
  const fields = readJson(input)
  return {
    objects: fields.id('objects'),
    bytes: fields.id('bytes'),
    classes: new Map(fields.objects('classes').map((entry) => [entry.string('name'), entry.id('count')])),
    problems: fields.objects('problems').map(readProblem),
    problemCount: fields.id('problemCount'),
  }
}

function readProblem(fields: JsonFields): VerifyProblem {
  return {
    kind: fields.oneOf('kind', KINDS),
    ...(fields.has('oid') && { oid: fields.id('oid') }),
    ...(fields.has('className') && { className: fields.string('className') }),
    ...(fields.has('offset') && { offset: fields.id('offset') }),
    message: fields.string('message'),
  }
}
