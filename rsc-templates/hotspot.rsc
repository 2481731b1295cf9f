# Karibu: a hotspot on one interface, with RADIUS, the portal's pages and the API account.
# RouterOS 7.15 or later; paste into a terminal or import as a file. Running it again repairs what is missing;
# everything of its own is named karibu or carries a comment that begins so.
#
# Values: appliance_address, auth_port, acct_port, coa_port, api_port, radius_secret, api_user, api_password,
# interface (a bridge, or a port that is in none), network, address, address_with_prefix, pool,
# portal_host (name or address that phones open), portal_login_url (where the login page posts to),
# portal_status_url (where a phone goes when it is online), router (what the portal knows this router by).

# 1. Can this work here at all? Routers shipped with 7.17 or later may forbid hotspots until a button is pressed.
:if ([:len [/interface find where name={{interface}}]] = 0) do={ :error ("karibu: there is no interface " . {{interface}}) }
{
  :local allowed true
  :do { :set allowed [[:parse ":return [/system device-mode get hotspot]"]] } on-error={ :set allowed true }
  :if ($allowed = false) do={
    :put "karibu: this router forbids hotspots. Run: /system device-mode update mode=advanced"
    :put "karibu: then press its button or unplug it within five minutes, and run this again."
    :error "karibu: device-mode forbids hotspots"
  }
}

# 2. Addresses for the phones.
{
  :if ([:len [/ip address find where interface={{interface}} and address={{address_with_prefix}}]] = 0) do={
    /ip address add address={{address_with_prefix}} interface={{interface}} comment="karibu"
  }
  :if ([:len [/ip pool find where name="karibu"]] = 0) do={
    /ip pool add name=karibu ranges={{pool}}
  }
  /ip pool set [find where name="karibu"] ranges={{pool}}
  :if ([:len [/ip dhcp-server find where interface={{interface}}]] = 0) do={
    /ip dhcp-server add name=karibu interface={{interface}} address-pool=karibu disabled=no
  }
  /ip dhcp-server set [find where interface={{interface}}] address-pool=karibu lease-time=1h disabled=no
  :if ([:len [/ip dhcp-server network find where address={{network}}]] = 0) do={
    /ip dhcp-server network add address={{network}} comment="karibu"
  }
  /ip dhcp-server network set [find where address={{network}}] gateway={{address}} dns-server={{address}}
  /ip dns set allow-remote-requests=yes
  :if ([:len [/ip firewall nat find where comment="karibu: internet"]] = 0) do={
    /ip firewall nat add chain=srcnat action=masquerade src-address={{network}} dst-address=("!" . {{network}}) comment="karibu: internet"
  }
}

# 3. RADIUS: who may use the network is decided by Karibu, which may also end a session or change its speed.
{
  :if ([:len [/radius find where comment="karibu"]] = 0) do={
    /radius add address={{appliance_address}} service=hotspot comment="karibu"
  }
  /radius set [find where comment="karibu"] address={{appliance_address}} service=hotspot secret={{radius_secret}} \
      authentication-port={{auth_port}} accounting-port={{acct_port}} timeout=3s disabled=no
  /radius incoming set accept=yes port={{coa_port}}
}
# Take only signed answers. Versions before 7.15 do not know the word, so it is hidden from their parser.
:do { [[:parse "/radius set [find where comment=\"karibu\"] require-message-auth=yes-for-request-resp"]] } on-error={ :log info "karibu: older than 7.15" }

# 4. The hotspot. Passwords are hashed by the page (CHAP); plain ones stay possible for one-time passwords.
{
  :if ([:len [/ip hotspot profile find where name="karibu"]] = 0) do={
    /ip hotspot profile add name=karibu
  }
  /ip hotspot profile set [find where name="karibu"] hotspot-address={{address}} login-by=http-chap,http-pap,mac-cookie \
      split-user-domain=no use-radius=yes radius-accounting=yes radius-interim-update=received \
      radius-mac-format=XX:XX:XX:XX:XX:XX nas-port-type=wireless-802.11
  /ip hotspot user profile set [find where default=yes] shared-users=unlimited add-mac-cookie=yes \
      mac-cookie-timeout=3d keepalive-timeout=2m idle-timeout=none
  :if ([:len [/ip hotspot find where interface={{interface}}]] = 0) do={
    /ip hotspot add name=karibu interface={{interface}} address-pool=karibu profile=karibu disabled=no
  }
  /ip hotspot set [find where interface={{interface}}] address-pool=karibu profile=karibu addresses-per-mac=2 \
      idle-timeout=5m keepalive-timeout=none disabled=no
}

# 5. What a phone may reach before it has paid: the portal, nothing else.
{
  /ip hotspot walled-garden ip remove [find where comment="karibu"]
  /ip hotspot walled-garden ip add action=accept dst-address={{appliance_address}} comment="karibu"
  /ip hotspot walled-garden ip add action=accept dst-host={{portal_host}} comment="karibu"
  /ip hotspot walled-garden remove [find where comment="karibu"]
  /ip hotspot walled-garden add action=allow dst-host={{portal_host}} comment="karibu"
}

# 6. FastTrack would carry the phones' traffic past their speed limits.
{
  /ip firewall filter remove [find where comment="karibu: no fasttrack"]
  :local fast [/ip firewall filter find where chain=forward and action=fasttrack-connection]
  :if ([:len $fast] > 0) do={
    /ip firewall filter add chain=forward action=accept connection-state=established,related \
        src-address={{network}} comment="karibu: no fasttrack" place-before=($fast->0)
    /ip firewall filter add chain=forward action=accept connection-state=established,related \
        dst-address={{network}} comment="karibu: no fasttrack" place-before=($fast->0)
  }
}

# 7. The API account: only from Karibu's address, only what it needs.
{
  :if ([:len [/user group find where name="karibu"]] = 0) do={
    /user group add name=karibu policy=api,read,write,test
  }
  /user group set [find where name="karibu"] policy=api,read,write,test
  :if ([:len [/user find where name={{api_user}}]] = 0) do={
    /user add name={{api_user}} group=karibu password={{api_password}} address={{appliance_address}} comment="karibu"
  }
  /user set [find where name={{api_user}}] group=karibu password={{api_password}} address={{appliance_address}} disabled=no
  /ip service set api disabled=no port={{api_port}} address={{appliance_address}}
  /ip firewall filter remove [find where comment="karibu: appliance"]
  :local first [/ip firewall filter find where chain=input and dynamic=no]
  :if ([:len $first] > 0) do={
    /ip firewall filter add chain=input action=accept src-address={{appliance_address}} protocol=tcp \
        dst-port={{api_port}} comment="karibu: appliance" place-before=($first->0)
    /ip firewall filter add chain=input action=accept src-address={{appliance_address}} protocol=udp \
        dst-port={{coa_port}} comment="karibu: appliance" place-before=($first->0)
  }
}

# 8. The hotspot's pages: they only lead to the portal. The login page posts itself, because CHAP's values are octets
# that no URL carries; what a guest could have written goes into the URL, escaped by the router.
{
  :local dir "karibu"
  :if ([:len [/file find where name="flash"]] > 0) do={ :set dir "flash/karibu" }
  :if ([:len [/file find where name=$dir]] = 0) do={
    :do { [[:parse ("/file add type=directory name=" . $dir)]] } on-error={ :log info "karibu: folder not made" }
  }

  :local head "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
  :set head ($head . "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")
  :set head ($head . "<meta http-equiv=\"cache-control\" content=\"no-store\"><title>WiFi</title>")
  :set head ($head . "<style>body{font-family:system-ui,sans-serif;text-align:center;padding:20vh 1rem}")
  :set head ($head . "a,button{font:inherit;font-weight:600;padding:.8em 2em;border:0;border-radius:.6em;")
  :set head ($head . "background:#0b6b4f;color:#fff;text-decoration:none}</style>")

  :local who "mac=\$(mac-esc)&amp;ip=\$(ip-esc)&amp;identity=\$(identity-esc)&amp;router="
  :set who ($who . {{router|url}} . "&amp;link-login-only=\$(link-login-only-esc)")

  :local login ($head . "</head><body><form method=\"post\" action=\"" . {{portal_login_url|html}} . "\3F" . $who)
  :set login ($login . "&amp;link-orig=\$(link-orig-esc)&amp;error=\$(error-orig-esc)\">")
  :set login ($login . "<input type=\"hidden\" name=\"mac\" value=\"\$(mac)\">")
  :set login ($login . "<input type=\"hidden\" name=\"ip\" value=\"\$(ip)\">")
  :set login ($login . "<input type=\"hidden\" name=\"link-login-only\" value=\"\$(link-login-only)\">")
  :set login ($login . "<input type=\"hidden\" name=\"link-logout\" value=\"\$(link-logout)\">")
  :set login ($login . "\$(if chap-id)<input type=\"hidden\" name=\"chap-id\" value=\"\$(chap-id)\">")
  :set login ($login . "<input type=\"hidden\" name=\"chap-challenge\" value=\"\$(chap-challenge)\">\$(endif)")
  :set login ($login . "<button>Continue / Endelea</button></form>")
  :set login ($login . "<script>document.forms[0].submit()</script></body></html>")

  :local seen ($who . "&amp;link-logout=\$(link-logout-esc)&amp;logged-in=\$(logged-in)")
  :local online ($head . "<meta http-equiv=\"refresh\" content=\"0;url=" . {{portal_status_url|html}} . "\3F" . $seen)
  :set online ($online . "\"></head><body><a href=\"" . {{portal_status_url|html}} . "\3F" . $seen)
  :set online ($online . "\">Continue / Endelea</a></body></html>")

  :local redirect "\$(if http-status == 302)Hotspot login required\$(endif)"
  :set redirect ($redirect . "\$(if http-header == \"Location\")\$(link-redirect)\$(endif)" . $head)
  :set redirect ($redirect . "<meta http-equiv=\"refresh\" content=\"0;url=\$(link-redirect)\"></head>")
  :set redirect ($redirect . "<body><a href=\"\$(link-redirect)\">Continue / Endelea</a></body></html>")

  :local broken ($head . "</head><body><p>Something went wrong. Jaribu tena.</p>")
  :set broken ($broken . "<a href=\"\$(link-login)\">Try again</a></body></html>")

  :local api "{\"captive\":\$(if logged-in == 'yes')false\$(else)true\$(endif),"
  :set api ($api . "\"user-portal-url\":\"\$(link-login-only)\"}")

  :local pages {"login.html"=$login;"rlogin.html"=$redirect;"redirect.html"=$redirect;"alogin.html"=$online}
  :set ($pages->"status.html") $online
  :set ($pages->"logout.html") $online
  :set ($pages->"error.html") $broken
  :set ($pages->"api.json") $api
  :foreach file,page in=$pages do={
    :local path ($dir . "/" . $file)
    :if ([:len [/file find where name=$path]] = 0) do={
      /file add name=$path contents=$page
    } else={
      /file set [find where name=$path] contents=$page
    }
  }
  /ip hotspot profile set [find where name="karibu"] html-directory-override=$dir
}

:log info "karibu: the hotspot is set"
