// The demo page's looks, in the colours of portal and admin.

const DARK = `color-scheme:dark;--bg:#121512;--surface:#1a1e1a;--surface-2:#232823;--text:#e9ebe4;--muted:#a0a799;--line:#2d332c;
--line-strong:#6c7567;--accent:#6cc795;--accent-hover:#86d6aa;--accent-ink:#08230f;--accent-soft:#1d3528;--clay:#ea9467;--clay-soft:#3b251a;
--head:#0d2b1e;--head-ink:#f1f4ea;--sun:#f0b84d;--case:#050605;--edge:#3a403a;
--shadow:0 1px 2px rgb(0 0 0/30%),0 2px 8px rgb(0 0 0/18%);--deep:0 18px 44px rgb(0 0 0/55%)`;

export const PAGE_STYLE = `
:root{color-scheme:light;--bg:#f6f4ef;--surface:#fffefb;--surface-2:#f0ede5;--text:#1e211d;--muted:#62665c;--line:#e1ddd2;
--line-strong:#8b8b7e;--accent:#17603f;--accent-hover:#0f4c31;--accent-ink:#fff;--accent-soft:#e1eee4;--clay:#b4532a;--clay-soft:#f8e6dc;
--head:#114a31;--head-ink:#fffdf6;--sun:#f3b43f;--case:#191b19;--edge:#3c413d;
--shadow:0 1px 2px rgb(40 36 24/6%),0 2px 8px rgb(40 36 24/4%);--deep:0 18px 44px rgb(40 36 24/24%);--focus:#1f7fbf;
--font:-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",system-ui,sans-serif;
--mono:ui-monospace,"SF Mono","Cascadia Mono","Roboto Mono","Noto Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.45 var(--font);-webkit-text-size-adjust:100%}
h1,h2,p,ol,dl,dd,figure{margin:0;padding:0}
ol{list-style:none}
button{font:inherit;color:inherit;cursor:pointer}
a{color:var(--accent)}
:focus-visible{outline:2.5px solid var(--focus);outline-offset:2px}
.icon{width:1.05em;height:1.05em;vertical-align:-.15em;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.top{display:flex;align-items:center;gap:24px;padding:0 max(24px,calc((100% - 1312px)/2));min-height:58px;background:var(--head);color:var(--head-ink)}
.brand{display:flex;align-items:center;gap:9px;font-size:19px;letter-spacing:-.01em}
.brand span{padding:1px 9px 2px;border-radius:99px;background:var(--sun);color:#2a1c00;font-size:12.5px;font-weight:650;letter-spacing:.01em}
.mark{width:28px;height:28px;fill:none;stroke:currentColor;stroke-width:2.6;stroke-linecap:round}
.mark circle{fill:var(--sun);stroke:none}
.figures{display:flex;gap:22px;margin-left:auto;font-size:14px;font-variant-numeric:tabular-nums;white-space:nowrap}
main{max-width:1360px;margin:0 auto;padding:22px 24px 32px}
.lead{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:8px 14px;align-items:end}
h1{font-size:27px;line-height:1.18;letter-spacing:-.018em;font-weight:700;text-wrap:balance}
.lead p{grid-column:span 2;padding-left:17px;max-width:50em;color:var(--muted);text-wrap:pretty}
.steps{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:14px;margin:18px 0 24px}
.steps li{display:flex;gap:12px;padding:13px 16px 14px;border:1px solid var(--line);border-radius:14px;background:var(--surface);transition:border-color .2s,background .2s}
.steps i{flex:none;display:grid;place-items:center;width:28px;height:28px;border-radius:50%;background:var(--surface-2);color:var(--muted);font-style:normal;font-weight:700;font-size:14px}
.steps h2{font-size:15.5px;line-height:28px;font-weight:650}
.steps p{color:var(--muted);font-size:14px;line-height:1.4}
.steps [data-state=now]{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
.steps [data-state=now] i{background:var(--accent);color:var(--accent-ink)}
.steps [data-state=done] i{background:var(--accent-soft);color:var(--accent)}
.stage{display:grid;grid-template-columns:372px 372px minmax(0,1fr);gap:28px;align-items:start}
.phone figcaption{display:flex;justify-content:space-between;align-items:center;min-height:26px;padding:0 6px 8px;font-size:14px;color:var(--muted)}
.phone figcaption b{color:var(--text);font-weight:650}
.phone figcaption a{color:var(--muted);text-decoration:none;font-size:13px}
.phone figcaption a:hover{color:var(--accent);text-decoration:underline}
.case{padding:9px;border-radius:40px;background:var(--case);box-shadow:var(--deep),inset 0 0 0 1.5px var(--edge)}
.case iframe{display:block;width:100%;height:700px;border:0;border-radius:32px;background:var(--bg)}
[data-asks=yes] .case{box-shadow:var(--deep),0 0 0 4px var(--sun)}
.ask{padding:1px 10px 2px;border-radius:99px;background:var(--sun);color:#2a1c00;font-weight:650;font-size:12.5px}
.side{display:grid;gap:14px;padding-top:34px}
.card{padding:16px 18px 18px;border:1px solid var(--line);border-radius:16px;background:var(--surface);box-shadow:var(--shadow)}
.card h2{font-size:15.5px;font-weight:650;margin-bottom:10px}
.button{display:inline-flex;align-items:center;gap:7px;min-height:44px;padding:0 18px;border-radius:11px;background:var(--accent);color:var(--accent-ink);font-weight:650;text-decoration:none}
.button:hover{background:var(--accent-hover)}
.owner{display:grid;grid-template-columns:1fr auto;gap:4px 20px;align-items:center}
.owner h2{grid-column:1/-1;margin:0}
.owner .button{grid-column:2;grid-row:2}
.owner dl{grid-column:1;grid-row:2;display:grid;grid-template-columns:auto 1fr;gap:0 12px;align-items:center;font-size:14px}
dt{color:var(--muted)}
.copy{min-height:28px;padding:1px 7px;margin-left:-7px;border:0;border-radius:7px;background:none;font-family:var(--mono);font-size:13.5px;text-align:left;overflow-wrap:anywhere}
.copy:hover{background:var(--surface-2)}
.copy.code{margin:0;padding:3px 10px;border:1.5px dashed var(--line-strong);font-weight:650;letter-spacing:.06em}
.status{display:flex;align-items:center;gap:9px}
.status i{width:10px;height:10px;border-radius:50%;background:var(--line-strong)}
.status b{font-weight:600;overflow-wrap:anywhere}
.status[data-online=yes] i{background:var(--accent);box-shadow:0 0 0 4px var(--accent-soft)}
.session{display:grid;grid-template-columns:repeat(4,auto);justify-content:space-between;gap:4px 14px;margin-top:12px;font-variant-numeric:tabular-nums}
.session dt{font-size:12.5px}
.session dd{font-weight:600;white-space:nowrap}
.voucher{margin-top:11px;font-size:14px;color:var(--muted)}
.voucher .code{color:var(--text)}
.controls{display:grid;grid-template-columns:1fr 1fr;gap:9px}
.control{display:flex;flex-direction:column;min-height:60px;padding:9px 13px 10px;border:1px solid var(--line);border-radius:12px;background:var(--bg);color:inherit;text-align:left;text-decoration:none;line-height:1.3}
.control:hover{border-color:var(--accent);background:var(--accent-soft)}
.control:disabled{opacity:.6}
.control b{display:block;font-weight:650;font-size:14.5px}
.control span{font-size:12.8px;color:var(--muted)}
.phones{display:flex;flex-wrap:wrap;gap:6px;margin-top:11px}
.phones button{min-height:34px;padding:0 13px;border:1px solid var(--line);border-radius:99px;background:none;font-size:13.5px}
.phones [aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--accent-ink);font-weight:600}
.tape ol{display:grid;gap:5px;font-size:13.5px;line-height:1.38}
.tape li{display:grid;grid-template-columns:auto auto 1fr;gap:0 8px;overflow-wrap:anywhere}
.tape time{color:var(--muted);font-variant-numeric:tabular-nums;font-size:12.5px}
.tape b{font-weight:650}
.tape [data-by=Karibu] b{color:var(--accent)}
.tape [data-by=M-PESA] b{color:var(--clay)}
.tape .none{display:block;color:var(--muted)}
.tape .new{animation:arrive .5s ease-out}
.toast{position:fixed;left:50%;bottom:24px;transform:translateX(-50%);padding:10px 18px;border-radius:99px;background:var(--text);color:var(--bg);font-size:14px;box-shadow:var(--deep)}
.noscript{padding:24px;text-align:center}
.gone .stage{opacity:.5}
@keyframes arrive{from{opacity:0;transform:translateY(-6px)}}
@media (max-width:1240px){.stage{grid-template-columns:repeat(2,372px);justify-content:center}.side{grid-column:1/-1;grid-template-columns:1fr 1fr;padding-top:0}.side>:nth-child(n+3){grid-column:1/-1}
.owner{grid-template-columns:1fr}.owner dl{grid-row:3}.owner .button{grid-column:1;justify-content:center;margin:6px 0}.controls{grid-template-columns:repeat(4,1fr)}}
@media (max-width:820px){
main{padding:18px 14px 28px}
.top{padding:0 14px;gap:14px}.figures{gap:12px;font-size:13px}
.lead{display:block}.lead p{padding:6px 0 0}h1{font-size:23px}
.steps{grid-template-columns:1fr;gap:8px;margin:16px 0 20px}.steps li{padding:10px 13px 11px}
.stage,.side{grid-template-columns:minmax(0,1fr);gap:20px}.side{gap:12px}
.phone{width:100%;max-width:400px;margin:0 auto}.case iframe{height:620px}
.side>:nth-child(n){grid-column:1}.controls{grid-template-columns:1fr 1fr}
}
@media (max-width:420px){.figures span:nth-child(2){display:none}.controls{grid-template-columns:1fr}.session{grid-template-columns:1fr 1fr}}
@media (prefers-reduced-motion:reduce){*{animation:none!important;transition:none!important}}
`;
