// ES2024, and in Node.js since version 20.
interface String {
  isWellFormed(): boolean
}
