// Reads RouterOS string literals back, written from the manual's table and not from what the program does.

const named: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, _: 32, a: 7, b: 8, f: 12, v: 11 };

export interface Literal {
  text: string;
  /** Where it stood, quotes included. */
  start: number;
  end: number;
}

/** Reads the literal that starts at `start`; throws for an escape that does not exist and for anything that expands. */
export function readLiteral(script: string, start: number): Literal {
  if (script[start] !== '"') throw new Error(`no literal at ${start}`);
  const octets: number[] = [];
  let at = start + 1;
  for (;;) {
    const character = script[at];
    if (character === undefined) throw new Error('the literal does not end');
    if (character === '"') break;
    if (character === '$') throw new Error(`a $ expands at ${at}`);
    if (character === '\n' || character === '\r') throw new Error('a line ends inside the literal');
    if (character !== '\\') {
      octets.push(character.charCodeAt(0));
      at += 1;
      continue;
    }
    const next = script[at + 1] ?? '';
    if ('"\\$?'.includes(next) && next !== '') {
      octets.push(next.charCodeAt(0));
      at += 2;
    } else if (named[next] !== undefined) {
      octets.push(named[next]!);
      at += 2;
    } else {
      const hex = script.slice(at + 1, at + 3);
      if (!/^[0-9A-F]{2}$/.test(hex)) throw new Error(`no such escape: \\${hex}`);
      octets.push(Number.parseInt(hex, 16));
      at += 3;
    }
  }
  return { text: Buffer.from(octets).toString('utf8'), start, end: at + 1 };
}

/** Every literal of a script, comment lines left out. */
export function readLiterals(script: string): Literal[] {
  const literals: Literal[] = [];
  let at = 0;
  while (at < script.length) {
    const lineStart = at === 0 || script[at - 1] === '\n';
    if (lineStart && /^[ \t]*#/.test(script.slice(at, script.indexOf('\n', at)))) {
      at = script.indexOf('\n', at) + 1;
      if (at === 0) break;
    } else if (script[at] === '"') {
      const literal = readLiteral(script, at);
      literals.push(literal);
      at = literal.end;
    } else at += 1;
  }
  return literals;
}

/** The value that `:local name "…"` and following `:set name ($name . "…")` lines build, literals joined. */
export function builtText(script: string, name: string): string {
  let text = '';
  for (const line of script.split('\n')) {
    const start = new RegExp(`^\\s*:(local|set) ${name} (.*)$`).exec(line);
    if (!start) continue;
    const expression = start[2]!.trim();
    if (start[1] === 'local') text = '';
    let at = 0;
    while (at < expression.length) {
      if (expression[at] === '"') {
        const literal = readLiteral(expression, at);
        text += literal.text;
        at = literal.end;
      } else if (expression[at] === '$') {
        const variable = /^\$([a-z]+)/.exec(expression.slice(at))![1]!;
        if (variable !== name) text += builtText(script, variable);
        at += variable.length + 1;
      } else at += 1;
    }
  }
  return text;
}
