// The `?` words of an API print: which rows they let through.

type Row = Readonly<Record<string, string>>;

/**
 * Whether a row passes, by the manual's stack: `?name` has it, `?-name` lacks it, `?name=x` equal, `?<name=x`,
 * `?>name=x`, and `?#` with `!`, `&`, `|`, `.` and digits (MikroTik manual, API, "Query word"). What is left on the
 * stack is ANDed.
 */
export function matchesQueries(row: Row, queries: readonly string[]): boolean {
  const stack: boolean[] = [];
  for (const query of queries) {
    const word = query.slice(1);
    if (word.startsWith('#')) applyOperators(word.slice(1), stack);
    else stack.push(test(row, word));
  }
  return stack.every((value) => value);
}

function test(row: Row, word: string): boolean {
  if (word.startsWith('-')) return row[word.slice(1)] === undefined;
  const operator = '<>='.includes(word[0] ?? ' ') ? word[0] : '';
  const rest = operator === '' ? word : word.slice(1);
  const split = rest.indexOf('=');
  const name = split === -1 ? rest : rest.slice(0, split);
  const value = row[name];
  if (split === -1) return value !== undefined;
  const wanted = rest.slice(split + 1);
  if (operator === '<' || operator === '>') {
    if (value === undefined) return false;
    const order =
      value !== '' && wanted !== '' && !Number.isNaN(Number(value)) && !Number.isNaN(Number(wanted))
        ? Number(value) - Number(wanted)
        : value < wanted
          ? -1
          : value > wanted
            ? 1
            : 0;
    return operator === '<' ? order < 0 : order > 0;
  }
  return value === wanted || (isFlag(value) && flagOf(value) === flagOf(wanted) && isFlag(wanted));
}

function isFlag(text: string | undefined): boolean {
  return text !== undefined && ['true', 'false', 'yes', 'no'].includes(text);
}

function flagOf(text: string | undefined): boolean {
  return text === 'true' || text === 'yes';
}

function applyOperators(operators: string, stack: boolean[]): void {
  for (const token of operators.match(/\d+|./g) ?? []) {
    if (token === '!') stack.push(!stack.pop());
    else if (token === '&' || token === '|') {
      const right = stack.pop() ?? true;
      const left = stack.pop() ?? true;
      stack.push(token === '&' ? left && right : left || right);
    } else if (token === '.') stack.push(stack.at(-1) ?? true);
    else if (/\d/.test(token)) stack.push(stack.at(-1 - Number(token)) ?? true);
  }
}
