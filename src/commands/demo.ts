// karibu demo: shows everything to someone without a router or M-PESA.

import type { Command } from './command.ts';
import { type Demo, startDemo } from './demo/start.ts';
import { stopSignal } from './serve.ts';

function welcome(demo: Demo): string {
  const { urls, account, cashier } = demo;
  return [
    '',
    'The demo runs. Router, phone and M-PESA are simulated on this computer; no money moves.',
    '',
    `  Start here   ${urls.demo}`,
    `  Admin        ${urls.admin}   ${account.email} / ${account.password}`,
    `               as a cashier: ${cashier.email} / ${cashier.password}`,
    `  Portal       ${urls.portal}   (a guest comes by way of the hotspot: ${urls.hotspot})`,
    `  M-PESA       ${urls.mpesa}/phone`,
    '',
    `  Its data is kept in ${demo.data_dir}; --fresh begins anew. Ctrl-C stops it.`,
    '',
  ].join('\n');
}

export const demo: Command = {
  summary: 'Show everything with a simulated router, phone and M-PESA',
  usage:
    'karibu demo [--data DIR] [--fresh] [--json]\n\n  --fresh   forget what earlier runs left in DIR/demo',
  flags: { fresh: { type: 'boolean' } },
  // Its accounts have a password that anyone can read: it stays on this computer unless told otherwise.
  environment: {
    KARIBU_ADMIN_LISTEN: '127.0.0.1:8080',
    KARIBU_PORTAL_LISTEN: '127.0.0.1:8081',
    KARIBU_CALLBACK_LISTEN: '127.0.0.1:8082',
    KARIBU_RADIUS_AUTH_LISTEN: '127.0.0.1:1812',
    KARIBU_RADIUS_ACCT_LISTEN: '127.0.0.1:1813',
  },
  async run({ config, flags, print }) {
    const stop = stopSignal();
    const running = await startDemo(config, { fresh: flags.fresh === true });
    print(welcome(running), {
      ...running.urls,
      radius_auth: running.radius.auth,
      radius_acct: running.radius.acct,
      account: running.account,
      cashier: running.cashier,
      data_dir: running.data_dir,
    });
    await stop;
    await running.stop();
  },
};
