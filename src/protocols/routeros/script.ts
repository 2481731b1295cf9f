// RouterOS scripts (.rsc) made from templates, with values that cannot leave their quotes.
import { isIPv4 } from 'node:net';

/**
 * A RouterOS string literal, quotes included, for any text at all. `$`, `"` and `\` are escaped; so is everything that
 * is not printable ASCII, as its UTF-8 octets, and `?`, which asks for help when a script is pasted (MikroTik manual,
 * Scripting, "Constant Escape Sequences"). For a script inside a script, once a level.
 */
export function rsc(text: string): string {
  let quoted = '"';
  for (const octet of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(octet);
    if (character === '"' || character === '\\' || character === '$') quoted += `\\${character}`;
    else if (octet < 0x20 || octet > 0x7e || character === '?') {
      quoted += `\\${octet.toString(16).toUpperCase().padStart(2, '0')}`;
    } else quoted += character;
  }
  return `${quoted}"`;
}

/** Text for HTML, also inside a double-quoted attribute; `$` too, because the hotspot's own pages expand `$(…)`. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"'$]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text for one part of a URL's query, safe inside an HTML attribute as well. */
function escapeUrl(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
}

export type TemplateValues = Readonly<Record<string, string | number>>;

/**
 * Fills a template's `{{name}}` placeholders, each with a whole string literal (a whole number stays bare):
 * `{{name}}` the value, `{{name|html}}` and `{{name|url}}` the value escaped for the page or the query it is put into.
 * A placeholder stands where RouterOS wants a value, never inside quotes of the template: that throws, as do a
 * placeholder without a value and a fraction. Values that no placeholder uses are ignored.
 */
export function renderTemplate(template: string, values: TemplateValues): string {
  return template.replace(
    /\{\{([a-z0-9_]+)(?:\|(html|url))?\}\}/g,
    (whole, name: string, filter, at: number) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (value === undefined) throw new RangeError(`The template wants a value for ${name}`);
      const before = template.slice(template.lastIndexOf('\n', at) + 1, at);
      if (before.trimStart().startsWith('#') || isInsideQuotes(before)) {
        throw new RangeError(`${whole} stands in a comment or inside quotes: "${before}"`);
      }
      if (typeof value === 'number') {
        if (!Number.isSafeInteger(value)) throw new RangeError(`${name} cannot be ${value}`);
        return String(value);
      }
      if (filter === 'html') return rsc(escapeHtml(value));
      return rsc(filter === 'url' ? escapeUrl(value) : value);
    },
  );
}

function isInsideQuotes(line: string): boolean {
  let inside = false;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"') inside = !inside;
  }
  return inside;
}

export interface HotspotNetwork {
  /** `10.5.48.0/22`. */
  network: string;
  /** The router in it, its first address: `10.5.48.1`. */
  address: string;
  /** `10.5.48.1/22`. */
  address_with_prefix: string;
  /** What phones get: `10.5.48.10-10.5.51.254`; the first addresses stay free for equipment. */
  pool: string;
}

/** The values a hotspot template wants of a network in CIDR, /16 to /28; undefined when it is not one. */
export function hotspotNetwork(cidr: string): HotspotNetwork | undefined {
  const [text = '', prefixText = '', ...rest] = cidr.trim().split('/');
  const prefix = Number(prefixText);
  if (rest.length > 0 || !isIPv4(text) || !/^\d{2}$/.test(prefixText) || prefix < 16 || prefix > 28) {
    return undefined;
  }
  const size = 2 ** (32 - prefix);
  const given = Buffer.from(text.split('.').map(Number)).readUInt32BE(0);
  const start = given - (given % size);
  const dotted = (offset: number) => {
    const octets = Buffer.alloc(4);
    octets.writeUInt32BE(start + offset, 0);
    return octets.join('.');
  };
  return {
    network: `${dotted(0)}/${prefix}`,
    address: dotted(1),
    address_with_prefix: `${dotted(1)}/${prefix}`,
    pool: `${dotted(size >= 64 ? 10 : 2)}-${dotted(size - 2)}`,
  };
}
