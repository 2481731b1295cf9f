// Types of postgres.mjs for the tests.

export interface PostgresCluster {
  url: string;
  halt(): void;
  kill9(): Promise<void>;
  resume(): void;
  stop(): void;
}

export function isPostgresInstalled(): boolean;
export function startPostgres(): Promise<PostgresCluster>;
