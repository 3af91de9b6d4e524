/** Cedar without its comments and strings: what is left are the words that count. */
function bare(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*/g, (part) => (part.startsWith('"') ? '""' : ''));
}

/** How many permits and forbids a text has. */
export function permitsAndForbids(text: string): { permits: number; forbids: number } {
  const words = bare(text);
  return {
    permits: words.match(/\bpermit\s*\(/g)?.length ?? 0,
    forbids: words.match(/\bforbid\s*\(/g)?.length ?? 0,
  };
}

/** An id made of a name: "Night shift (ops)" becomes night-shift-ops. */
export function idOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64);
}

/** The offset of a line and a column, both from 1; columns count characters. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
  return (
    before +
    Array.from(lines[line - 1] ?? '')
      .slice(0, column - 1)
      .join('').length
  );
}
