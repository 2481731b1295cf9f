# Karibu: RADIUS for a hotspot that is already set up. RouterOS 7; paste into a terminal or import as a file.
# Running it again changes nothing more; rows of its own carry the comment "karibu".
#
# Values: appliance_address (where Karibu answers), radius_secret, auth_port, acct_port, coa_port.

# Where the hotspot asks, and with which secret.
{
  :if ([:len [/radius find where comment="karibu"]] = 0) do={
    /radius add address={{appliance_address}} service=hotspot comment="karibu"
  }
  /radius set [find where comment="karibu"] address={{appliance_address}} service=hotspot secret={{radius_secret}} \
      authentication-port={{auth_port}} accounting-port={{acct_port}} timeout=3s disabled=no
}

# From 7.15 on: take only signed answers. Older versions do not know the word, so it is hidden from their parser.
:do { [[:parse "/radius set [find where comment=\"karibu\"] require-message-auth=yes-for-request-resp"]] } on-error={ :log info "karibu: older than 7.15" }

# Karibu may end a session, or change its speed, while it runs.
/radius incoming set accept=yes port={{coa_port}}

# Every hotspot on this router asks RADIUS and reports what is used as often as Karibu wants.
/ip hotspot profile set [find] use-radius=yes radius-accounting=yes radius-interim-update=received

:log info "karibu: radius is set"
