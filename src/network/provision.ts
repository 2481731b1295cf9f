// The exact lines an operator pastes into a router.

import { AppError } from '../errors.ts';
import type { Vault } from '../lib/secrets.ts';
import { hotspotNetwork, renderTemplate } from '../protocols/routeros/script.ts';
import { scriptApiOf } from './router-api.ts';
import type { Router } from './routers.ts';

/** Where this box is, as routers and phones see it. */
export interface Appliance {
  /** IP address that RADIUS packets go to. */
  address: string;
  auth_port: number;
  acct_port: number;
  /** `http://10.5.48.2:8081`, without a slash at the end. */
  portal_url: string;
}

export interface RouterScript {
  name: 'hotspot' | 'radius-only';
  title: string;
  text: string;
}

/**
 * Renders both scripts: a whole hotspot, or only RADIUS for a hotspot that is there already. `readTemplate` gives the
 * text of a template by file name.
 * @throws `invalid` when the router's hotspot network is none.
 */
export function routerScripts(
  router: Router,
  vault: Vault,
  appliance: Appliance,
  readTemplate: (file: string) => string,
): RouterScript[] {
  const network = hotspotNetwork(router.hotspot_network);
  if (!network) {
    throw new AppError('invalid', `“${router.hotspot_network}” is not a network a hotspot can use.`, {
      fields: { hotspot_network: 'Write it like 10.5.48.0/22, between /16 and /28.' },
    });
  }
  const radius = {
    appliance_address: appliance.address,
    auth_port: appliance.auth_port,
    acct_port: appliance.acct_port,
    coa_port: router.coa_port,
    radius_secret: vault.open(router.radius_secret_sealed),
  };
  const api = scriptApiOf(router, vault);
  const hotspot = {
    ...radius,
    api_port: router.api_port,
    api_user: api.api_username,
    api_password: api.api_password,
    interface: router.hotspot_interface,
    network: network.network,
    address: network.address,
    address_with_prefix: network.address_with_prefix,
    pool: network.pool,
    portal_host: new URL(appliance.portal_url).hostname,
    portal_login_url: `${appliance.portal_url}/`,
    portal_status_url: `${appliance.portal_url}/status`,
    router: router.id,
  };
  return [
    {
      name: 'hotspot',
      title: 'A new hotspot with RADIUS, portal and API user',
      text: renderTemplate(readTemplate('hotspot.rsc'), hotspot),
    },
    {
      name: 'radius-only',
      title: 'Only RADIUS, for a hotspot that works already',
      text: renderTemplate(readTemplate('radius-only.rsc'), radius),
    },
  ];
}
