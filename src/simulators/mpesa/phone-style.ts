// Styles the simulated phone.

export const PHONE_STYLE = `
:root{--bg:#e9ece7;--bezel:#16181a;--edge:#3b4045;--paper:#f7f8f5;--card:#fff;--ink:#14201a;--dim:#5d6b63;--line:#dfe5df;
--green:#12833f;--green-ink:#fff;--green-soft:#e2f3e7;--red:#c02b25;--key:#eef1ed;--key-down:#dbe2db;--veil:rgba(12,22,16,.45);
--shadow:0 24px 60px rgba(20,35,25,.28),0 4px 14px rgba(20,35,25,.18)}
@media (prefers-color-scheme:dark){:root{--bg:#0c0f0d;--bezel:#000;--edge:#34393c;--paper:#111613;--card:#1b221e;--ink:#edf3ee;--dim:#9aa9a0;
--line:#2a332d;--green:#37c06c;--green-ink:#04170b;--green-soft:#15301f;--red:#ff7a70;--key:#242d27;--key-down:#35413a;--veil:rgba(0,0,0,.6);
--shadow:0 24px 60px rgba(0,0,0,.7)}}
*{box-sizing:border-box;margin:0}
[hidden]{display:none!important}
html,body{height:100%}
body{background:var(--bg);color:var(--ink);font:16px/1.4 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
display:grid;place-content:center;gap:14px;overflow:hidden;-webkit-tap-highlight-color:transparent}
button,input,select{font:inherit;color:inherit}
.handset{width:372px;height:min(760px,calc(100vh - 74px));padding:10px;border-radius:46px;background:var(--bezel);
box-shadow:var(--shadow),inset 0 0 0 2px var(--edge)}
.screen{position:relative;height:100%;border-radius:37px;overflow:hidden;background:var(--paper);display:flex;flex-direction:column}
.status{display:flex;align-items:center;gap:8px;padding:13px 24px 5px;font-size:14px;font-weight:650;font-variant-numeric:tabular-nums}
.status .carrier{margin-left:auto;font-size:11px;letter-spacing:.06em;color:var(--dim)}
.status svg{width:40px;height:12px;fill:currentColor}
.home{flex:1;min-height:0;display:flex;flex-direction:column;padding:8px 14px 0}
.owner{display:flex;align-items:center;gap:11px;padding:12px;border-radius:20px;background:var(--card);box-shadow:0 0 0 1px var(--line)}
.avatar{flex:none;display:grid;place-items:center;width:40px;height:40px;border-radius:13px;background:var(--green-soft)}
.avatar svg{width:22px;fill:none;stroke:var(--green);stroke-width:1.8;stroke-linecap:round}
.owner form{flex:1;min-width:0}
.owner label{display:block;font-size:11.5px;color:var(--dim)}
.owner input{width:100%;border:0;padding:0;background:none;font-weight:650;font-size:16px;border-radius:4px;font-variant-numeric:tabular-nums}
.owner input::placeholder{color:var(--dim);font-weight:450;font-size:13.5px}
.wallet{text-align:right;white-space:nowrap}
.wallet span{display:block;font-size:11.5px;color:var(--dim)}
.wallet b{font-weight:650;font-variant-numeric:tabular-nums}
.pay{margin-top:10px;min-height:48px;border:0;border-radius:16px;background:var(--green);color:var(--green-ink);font-weight:650;touch-action:manipulation}
.by-hand label{display:block;margin-top:11px;font-size:13px;color:var(--dim)}
.by-hand select,.by-hand input{width:100%;min-height:46px;margin-top:4px;padding:0 13px;border:1.5px solid var(--line);border-radius:13px;background:var(--paper);color:var(--ink);font-size:16px}
.hand-error{margin-top:10px;color:var(--red);font-size:14px}
.messages{list-style:none;padding:14px 0 18px;overflow-y:auto;display:flex;flex-direction:column;gap:10px;scrollbar-width:none}
.messages li{padding:11px 14px 12px;border-radius:18px;background:var(--card);box-shadow:0 0 0 1px var(--line);font-size:14px;overflow-wrap:anywhere}
.messages li.new{animation:drop .35s cubic-bezier(.2,.9,.3,1.2)}
.messages header{display:flex;align-items:center;gap:7px;font-size:12px;color:var(--dim);margin-bottom:3px}
.messages header i,.brand i{width:9px;height:9px;border-radius:3px;background:var(--green)}
.messages header b{color:var(--green);letter-spacing:.03em}
.messages header time{margin-left:auto;font-variant-numeric:tabular-nums}
.empty{margin:auto;padding:0 30px 70px;text-align:center;color:var(--dim);text-wrap:balance}
.veil{position:absolute;inset:0;background:var(--veil);animation:fade .2s}
.prompt{position:absolute;inset:auto 0 0;max-height:100%;overflow-y:auto;padding:18px 20px 20px;border-radius:28px 28px 37px 37px;background:var(--card);
animation:rise .3s cubic-bezier(.2,.85,.3,1)}
.brand{display:flex;align-items:center;gap:8px;font-size:13px;font-weight:700;letter-spacing:.06em;color:var(--green)}
.ignore{margin-left:auto;border:0;background:none;padding:10px 12px;margin-block:-10px;margin-right:-12px;border-radius:10px;font-weight:500;letter-spacing:0;color:var(--dim)}
.ask{margin-top:10px;font-size:18px;line-height:1.35;font-weight:600;text-wrap:pretty;overflow-wrap:anywhere}
.pin-label{margin-top:12px;text-align:center;font-size:13.5px;color:var(--dim)}
.dots{display:flex;justify-content:center;gap:16px;margin:9px 0 13px}
.dots i{width:14px;height:14px;border-radius:50%;border:1.8px solid var(--dim);transition:background .1s,border-color .1s}
.dots i.on{background:var(--green);border-color:var(--green)}
.keys{display:grid;grid-template-columns:repeat(3,1fr);gap:8px}
.key{min-height:52px;border:0;border-radius:16px;background:var(--key);font-size:23px;line-height:1.05;font-weight:500;touch-action:manipulation}
.key small{display:block;min-height:11px;font-size:9px;letter-spacing:.14em;color:var(--dim);font-weight:500}
.key:active{background:var(--key-down)}
.key.soft{background:none}
.key.soft:active{background:var(--key)}
.key svg{width:26px;height:26px;fill:none;stroke:currentColor;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round;vertical-align:middle}
.keys #erase{order:2}.keys span{order:0}.keys [data-digit="0"]{order:1}
.actions{display:grid;grid-template-columns:1fr 1fr;gap:10px;margin-top:13px}
.actions button{min-height:50px;border-radius:16px;border:0;font-weight:650}
.cancel{background:none;box-shadow:inset 0 0 0 1.5px var(--line);color:var(--red)}
.send{background:var(--green);color:var(--green-ink)}
.send:disabled{background:var(--key);color:var(--dim)}
.toast{position:absolute;left:50%;bottom:30px;transform:translateX(-50%);max-width:86%;padding:10px 18px;border-radius:99px;background:var(--ink);color:var(--paper);
font-size:14px;white-space:nowrap;animation:fade .2s}
.legend{width:372px;text-align:center;font-size:12.5px;color:var(--dim)}
.legend b{color:var(--ink);font-weight:600}
.noscript{text-align:center}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
:focus-visible{outline:2.5px solid var(--green);outline-offset:2px}
.buzz .screen{animation:buzz .32s linear 2}
@keyframes rise{from{transform:translateY(40%);opacity:0}}
@keyframes drop{from{transform:translateY(-14px) scale(.97);opacity:0}}
@keyframes fade{from{opacity:0}}
@keyframes buzz{20%{transform:translateX(-3px)}40%{transform:translateX(3px)}60%{transform:translateX(-2px)}80%{transform:translateX(2px)}}
@media (max-width:430px),(max-height:560px){
body{display:block;overflow:hidden}
.handset{width:100%;height:calc(100vh - 34px);height:calc(100dvh - 34px);padding:0;border-radius:0;box-shadow:none;background:var(--paper)}
.screen{border-radius:0}.prompt{border-radius:28px 28px 0 0}
.legend{width:100%;height:34px;line-height:34px;padding:0 10px;font-size:12px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
}
@media (max-height:600px){.key{min-height:44px;font-size:20px}.key small{display:none}.actions button{min-height:44px}.ask{font-size:16px}}
@media (prefers-reduced-motion:reduce){*,*::before{animation:none!important;transition:none!important}}
`;
