// The `$(…)` language of a hotspot's own pages.

export interface RenderedPage {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export type ServletVariables = Readonly<Record<string, string>>;

/**
 * Fills a page: `$(name)`, `$(name-esc)` (URL-escaped), `$(if name)`, `$(if name == word)`, `$(elif …)`, `$(else)`,
 * `$(endif)`; the branches of `$(if http-status == 302)` and `$(if http-header == "Location")` set what they name
 * (MikroTik manual, Hotspot customisation). An unknown variable is empty.
 */
export function renderServletPage(page: string, variables: ServletVariables): RenderedPage {
  const rendered: RenderedPage = { status: 200, headers: {}, body: '' };
  const tokens = page.split(/(\$\([^)]*\))/);
  let at = 0;

  /** Renders up to the end of the page or to what ends a branch, which it leaves to its caller. */
  function renderUntilBranch(wanted: boolean): string {
    let text = '';
    while (at < tokens.length) {
      const token = tokens[at]!;
      const inside = token.startsWith('$(') && token.endsWith(')') ? token.slice(2, -1).trim() : undefined;
      if (inside === undefined) {
        text += token;
        at += 1;
      } else if (inside.startsWith('if ')) {
        at += 1;
        text += renderIf(inside.slice(3), wanted);
      } else if (/^(elif .*|else|endif)$/.test(inside)) {
        return text;
      } else {
        text += variable(inside, variables);
        at += 1;
      }
    }
    return text;
  }

  function renderIf(first: string, wanted: boolean): string {
    let condition = first;
    let taken = false;
    let text = '';
    for (;;) {
      const setting = /^http-(status|header) == "?([^"]*)"?$/.exec(condition);
      const holds = wanted && !taken && (setting !== null || isTrue(condition, variables));
      const branch = renderUntilBranch(holds);
      if (holds) {
        taken = true;
        if (setting?.[1] === 'status') rendered.status = Number(setting[2]);
        else if (setting?.[1] === 'header') rendered.headers[setting[2]!] = branch;
        else text = branch;
      }
      const end = tokens[at]?.slice(2, -1).trim();
      at += 1;
      if (end === undefined || end === 'endif') return text;
      condition = end === 'else' ? 'else' : end.slice('elif '.length);
    }
  }

  rendered.body = renderUntilBranch(true);
  return rendered;
}

function isTrue(condition: string, variables: ServletVariables): boolean {
  if (condition === 'else') return true;
  const [name = '', word] = condition.split(/\s*==\s*/);
  const value = variable(name.trim(), variables);
  return word === undefined ? value !== '' : value === word.trim().replace(/^['"]|['"]$/g, '');
}

function variable(name: string, variables: ServletVariables): string {
  if (Object.hasOwn(variables, name)) return variables[name]!;
  const plain = name.endsWith('-esc') ? name.slice(0, -4) : undefined;
  return plain !== undefined && Object.hasOwn(variables, plain) ? encodeURIComponent(variables[plain]!) : '';
}

/** Octets as the router writes `chap-id` and `chap-challenge`: `\371`, each with three octal digits. */
export function octalEscape(octets: Iterable<number>): string {
  return [...octets].map((octet) => `\\${octet.toString(8).padStart(3, '0')}`).join('');
}
