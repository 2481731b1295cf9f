// Tells where a database is from how it is written.

/** `postgres://…` or `postgresql://…` is PostgreSQL, anything else the path of a SQLite file. */
export function isPostgresUrl(location: string): boolean {
  return /^postgres(ql)?:\/\//.test(location);
}
