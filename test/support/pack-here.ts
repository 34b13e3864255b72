import { type FileSystem, nodeFileSystem } from '../../src/journal/journal-file.js'
import type { TaskRunner } from '../../src/workers/each-range.js'
import { packTasks } from '../../src/workers/pack-tasks.js'

/**
 * Runs the tasks of a pack in this thread, on any file system.
 *
 * @param before called with the name of each task; what it throws, the task throws
 */
export function packHere(
  fileSystem: FileSystem = nodeFileSystem,
  before: (name: string, task: unknown) => void = () => {},
): TaskRunner {
  const tasks = packTasks(fileSystem) as Record<string, (task: never) => unknown>
  return {
    size: 2,
    async run<Task, T>(name: string, task: Task): Promise<T> {
      await Promise.resolve()
      before(name, task)
      return tasks[name]?.(task as never) as T
    },
  }
}
