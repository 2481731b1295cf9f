// The pages a simulated hotspot serves unless it is given others: they lead to the portal.

export interface HotspotPages {
  /** Asked to log in, also after an error. */
  login: string;
  /** Anything else that a phone without a login asks for. */
  redirect: string;
  /** Right after a login. */
  alogin: string;
  status: string;
  logout: string;
}

export interface PortalAddresses {
  /** Where the login page posts itself to; without a query. */
  loginUrl: string;
  /** Where a phone goes that is online or has logged out; without a query. */
  statusUrl: string;
  /** What the portal knows this router by. */
  router: string;
}

const head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>WiFi</title>';

/** Pages of the same behaviour as those that rsc-templates/hotspot.rsc puts on a router. */
export function portalPages(portal: PortalAddresses): HotspotPages {
  const who =
    `mac=$(mac-esc)&amp;ip=$(ip-esc)&amp;identity=$(identity-esc)&amp;router=${encodeURIComponent(portal.router)}` +
    '&amp;link-login-only=$(link-login-only-esc)';
  const status = `${portal.statusUrl}?${who}&amp;link-logout=$(link-logout-esc)&amp;logged-in=$(logged-in)`;
  const online =
    `${head}<meta http-equiv="refresh" content="0;url=${status}"></head>` +
    `<body><a href="${status}">Continue / Endelea</a></body></html>`;
  return {
    login:
      `${head}</head><body><form method="post" action="${portal.loginUrl}?${who}` +
      '&amp;link-orig=$(link-orig-esc)&amp;error=$(error-orig-esc)">' +
      '<input type="hidden" name="mac" value="$(mac)">' +
      '<input type="hidden" name="ip" value="$(ip)">' +
      '<input type="hidden" name="link-login-only" value="$(link-login-only)">' +
      '<input type="hidden" name="link-logout" value="$(link-logout)">' +
      '$(if chap-id)<input type="hidden" name="chap-id" value="$(chap-id)">' +
      '<input type="hidden" name="chap-challenge" value="$(chap-challenge)">$(endif)' +
      '<button>Continue / Endelea</button></form>' +
      '<script>document.forms[0].submit()</script></body></html>',
    redirect:
      '$(if http-status == 302)Hotspot login required$(endif)' +
      '$(if http-header == "Location")$(link-redirect)$(endif)' +
      `${head}<meta http-equiv="refresh" content="0;url=$(link-redirect)"></head>` +
      '<body><a href="$(link-redirect)">Continue / Endelea</a></body></html>',
    alogin: online,
    status: online,
    logout: online,
  };
}
