/** What a plugin of the command line returns from its hook `perdure:register`. */
export interface Registration {
  /**
   * URLs of modules, as `import.meta.resolve()` gives them, that call `registerSerializer` or `registerStorage` when
   * they are imported.
   */
  readonly modules: readonly string[]
}
