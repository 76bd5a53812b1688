/** What makes a prompt cold: prefixes are found only among requests of one salt, so a salt of its own finds nothing. */
let used = 0

/** A `cacheSalt` that no request of this process had before. */
export function freshSalt(): string {
  return `bench ${used++}`
}
