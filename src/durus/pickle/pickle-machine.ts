import { PickleBytes } from './pickle-bytes.js'
import { textOf } from './pickle-text.js'
import { PythonDict, PythonObject, PythonSet } from './python-values.js'

/**
 * The machine that a pickle is a program for: a stack, marks on it, and a memo of numbered values. Whatever the program
 * does, each of its bytes adds at most one value.
 */
export class PickleMachine extends PickleBytes {
  protected stack: unknown[] = []
  /** How many values are below each mark. */
  protected marks: number[] = []
  protected memo: unknown[] = []
  /** How many bytes there have been since the memo was empty. */
  protected bytesSeen = 0
  /** Values below this one belong to the part before the last mark, out of reach. */
  #floor = 0

  protected reset(): void {
    this.stack.length = 0
    this.marks.length = 0
    this.#floor = 0
  }

  push(value: unknown): void {
    this.stack.push(value)
  }

  pop(): unknown {
    if (this.stack.length <= this.#floor) throw this.damage('the stack is empty')
    return this.stack.pop()
  }

  /** The topmost value. */
  top(): unknown {
    if (this.stack.length <= this.#floor) throw this.damage('the stack is empty')
    return this.stack[this.stack.length - 1]
  }

  mark(): void {
    this.#floor = this.stack.length
    this.marks.push(this.#floor)
  }

  /** Takes the last mark away, with the values above it. */
  popMark(): unknown[] {
    const from = this.marks.pop()
    if (from === undefined) throw this.damage('there is no mark')
    this.#floor = this.marks[this.marks.length - 1] ?? 0
    const { stack } = this
    if (stack.length === from) return []
    return stack.splice(from)
  }

  /** The text in the next `length` bytes. */
  text(length: number): string {
    const start = this.take(length)
    const text = textOf(this.bytes, start, start + length)
    if (text === undefined) throw this.damage('a text is not UTF-8')
    return text
  }

  /** Checks a promise of how many bytes follow. */
  frame(length: number): void {
    if (length > this.bytes.length - this.position) throw this.endsEarly()
  }

  /** POP: the topmost value, or the mark if nothing is above it. */
  drop(): void {
    if (this.stack.length > this.#floor) this.stack.pop()
    else this.popMark()
  }

  /** Gives the topmost value a number. */
  remember(index: number): void {
    // Whoever pickles counts, so a number larger than the bytes there are is made up, and would cost memory.
    if (index > this.bytesSeen) throw this.damage('a number in the memo is too large')
    this.memo[index] = this.top()
  }

  /** As {@link remember}, with the next number. */
  memoize(): void {
    this.memo.push(this.top())
  }

  recall(index: number): void {
    const value = this.memo[index]
    if (value === undefined) throw this.damage(`nothing has the number ${index} in the memo`)
    this.stack.push(value)
  }

  /** Adds items to the list, or to the object like one, that is topmost. */
  append(items: readonly unknown[]): void {
    const target = this.top()
    if (Array.isArray(target)) {
      pushAll(target, items)
    } else if (target instanceof PythonObject) {
      target.listItems ??= []
      pushAll(target.listItems, items)
    } else {
      throw this.damage('items are appended to what is no list')
    }
  }

  /** Adds keys and values, in turn, to the dict, or to the object like one, that is topmost. */
  setItems(entries: unknown[]): void {
    if (entries.length % 2 !== 0) throw this.damage('a key has no value')
    const target = this.top()
    if (target instanceof PythonDict) {
      if (target.entries.length === 0) target.entries = entries
      else pushAll(target.entries, entries)
    } else if (target instanceof PythonObject) {
      target.dictItems ??= []
      pushAll(target.dictItems, entries)
    } else {
      throw this.damage('items are set in what is no dict')
    }
  }

  /** Adds items to the set that is topmost. */
  addItems(items: readonly unknown[]): void {
    const target = this.top()
    if (!(target instanceof PythonSet)) throw this.damage('items are added to what is no set')
    pushAll(target.items, items)
  }

  /** Gives the object that is topmost its state. */
  build(state: unknown): void {
    const target = this.top()
    if (!(target instanceof PythonObject) || target.state !== undefined) {
      throw this.damage('a state is given to what can have none, or has one')
    }
    target.state = state
  }
}

/** Not push(...items), which has a limit. */
function pushAll(target: unknown[], items: readonly unknown[]): void {
  for (let i = 0; i < items.length; i++) target.push(items[i])
}
