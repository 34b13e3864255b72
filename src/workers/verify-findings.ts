import type { StoredRecord, VerifyProblem } from '../core/storage.js'

/** No report holds more problems than this. */
export const MAX_PROBLEMS = 1000

/** What was found in a range. */
export interface VerifyFindings {
  readonly objects: number
  readonly bytes: number
  readonly classes: ReadonlyMap<string, number>
  readonly problems: readonly VerifyProblem[]
  readonly problemCount: number
}

/** What is found, while it is being found. */
export class Findings implements VerifyFindings {
  objects = 0
  bytes = 0
  problemCount = 0
  readonly classes = new Map<string, number>()
  readonly problems: VerifyProblem[] = []

  count(record: StoredRecord, className: string): void {
    this.objects++
    this.bytes += record.data.length
    this.classes.set(className, (this.classes.get(className) ?? 0) + 1)
  }

  add(problem: VerifyProblem): void {
    this.problemCount++
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem)
  }

  /** Takes in what was found in one more range. */
  merge({ objects, bytes, problemCount, classes, problems }: VerifyFindings): void {
    this.objects += objects
    this.bytes += bytes
    this.problemCount += problemCount
    for (const [name, count] of classes) this.classes.set(name, (this.classes.get(name) ?? 0) + count)
    this.problems.push(...problems.slice(0, MAX_PROBLEMS - this.problems.length))
  }
}
