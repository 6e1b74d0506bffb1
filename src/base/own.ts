/**
 * What a table has under a name that comes from a file. A plain `table[name]` also finds what every object inherits, so that
 * a node of type `constructor` would seem to have an entry.
 */
export const own = <T>(table: { readonly [name: string]: T }, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined
