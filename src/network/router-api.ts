// Opens the API of one of our routers.
import type { Vault } from '../lib/secrets.ts';
import { connectRouter, type RouterClient } from '../protocols/routeros/client.ts';
import { isPrefix } from './addresses.ts';
import type { Router } from './routers.ts';

const CONNECT_TIMEOUT_MS = 5000;
const COMMAND_TIMEOUT_MS = 10_000;

/** The fields of a router, stored or just typed into a form, that lead to its API. */
export interface RouterApi {
  address: string;
  api_port: number;
  api_tls: 0 | 1;
  api_username: string;
  api_password: string;
}

/** The API user that the hotspot script creates. */
export const SCRIPT_API_USER = 'karibu';

function apiAs(router: Router, vault: Vault, username: string): RouterApi {
  return {
    address: router.address,
    api_port: router.api_port,
    api_tls: router.api_tls,
    api_username: username,
    api_password: router.api_password_sealed ? vault.open(router.api_password_sealed) : '',
  };
}

/** How to reach a router's API; undefined when no account is configured for it, or it has no address of its own. */
export function apiOf(router: Router, vault: Vault): RouterApi | undefined {
  return router.api_username && !isPrefix(router.address)
    ? apiAs(router, vault, router.api_username)
    : undefined;
}

/** How the API is reached once the hotspot script has run: worth trying when no account is configured. */
export function scriptApiOf(router: Router, vault: Vault): RouterApi {
  return apiAs(router, vault, router.api_username ?? SCRIPT_API_USER);
}

/**
 * Runs `work` over a connection of its own. Certificates are not checked against authorities: routers carry
 * self-signed ones, and the default way to a router is a tunnel or a cable (DESIGN §7).
 */
export async function withRouter<T>(api: RouterApi, work: (client: RouterClient) => Promise<T>): Promise<T> {
  const client = await connectRouter({
    host: api.address,
    port: api.api_port,
    username: api.api_username,
    password: api.api_password,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    ...(api.api_tls ? { tls: { rejectUnauthorized: false } } : {}),
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
