/** One step of the database's schema. */
export interface Migration {
  /** Its place in the order; never changed once it was released. */
  readonly number: number
  /** For people. */
  readonly name: string
  /** One statement each; all of them are one transaction. */
  readonly statements: readonly string[]
}
