// Copying text, also where the page is served over plain HTTP on the LAN.
import { useState } from 'preact/hooks';
import { html } from '../../shared/html.ts';
import { Button } from './basics.ts';
import { tell } from './toast.ts';

/** Whether the text is on the clipboard now. Browsers hide `navigator.clipboard` outside HTTPS. */
export async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text); // Refused by the browser's permission: the old way may still work.
    }
  }
  return copyBySelection(text);
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  // Inside an open dialog the rest of the page is inert, so the area goes where the focus is.
  const home = document.activeElement?.closest('dialog') ?? document.body;
  home.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

export function CopyButton({
  text,
  children = 'Copy',
  look,
}: {
  text: string;
  children?: string;
  look?: string;
}) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    const done = await copyText(text);
    if (!done) tell('Copying is not allowed here: select the text and copy it by hand.');
    setCopied(done);
    window.setTimeout(() => setCopied(false), 2000);
  };
  return html`<${Button} icon=${copied ? 'check' : 'copy'} look=${look ?? 'plain'} onClick=${copy}>
    ${copied ? 'Copied' : children}<//>`;
}
