/**
 * Converts Markdown to a manual page: roff with the macros of man(7). It supports the subset of Markdown that
 * the pages of this repository use. A table becomes a list with one entry for each row, because a terminal is
 * too narrow for its columns.
 *
 * Limits: inline code, bold, links (only the text is kept) and backslashes; lists of one level; no pictures
 * and no HTML.
 */

/** Text escaped for roff. Hyphens become minus signs, so that they can be searched for and copied. */
export function literal(text) {
  return text
    .replaceAll('\\', '\\(rs')
    .replaceAll('-', '\\-')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq')
    .replace(
      /[^\n -~]/gu,
      (character) => `\\[u${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replace(/^\./gm, '\\&.');
}

/** Converts code, bold text and links of one paragraph. */
export function inline(text) {
  const parts = text.split(/(`[^`]*`|\*\*[^*]+\*\*|\[[^\]]*\]\([^)]*\))/);
  return parts
    .map((part) => {
      if (/^`.*`$/s.test(part)) return `\\fB${literal(part.slice(1, -1))}\\fR`;
      if (/^\*\*.*\*\*$/s.test(part)) return `\\fB${inline(part.slice(2, -2))}\\fR`;
      const [, link] = /^\[(.*)\]\(.*\)$/s.exec(part) ?? [];
      return link === undefined ? literal(part.replace(/\\([*_|])/g, '$1')) : inline(link);
    })
    .join('');
}

export const code = (lines) => ['.PP', '.RS 4', '.nf', ...lines.map(literal), '.fi', '.RE'];

/** A term and its description. */
export const entry = (term, text) => ['.TP', term, text === '' ? '\\&' : text];

const cellsOf = (row) =>
  row
    .slice(1, -1)
    .trim()
    .split(/ +\| +/);

function table([heading, , ...rows]) {
  const [, ...headings] = cellsOf(heading);
  return rows.flatMap((row) => {
    const [term, ...cells] = cellsOf(row);
    // The last column is the description; the others are values.
    const values = cells.map((cell, at) =>
      at === cells.length - 1 ? inline(cell) : `${inline(headings[at])}: ${inline(cell)}`,
    );
    return entry(inline(term), [values.at(-1), ...values.slice(0, -1)].join('\n.br\n'));
  });
}

function item(text) {
  const [, mark, rest] = /^(-|\d+\.) (.*)$/s.exec(text);
  return [`.IP ${mark === '-' ? '\\(bu' : mark} 4`, inline(rest.replace(/\n +/g, '\n'))];
}

/** Converts one block: consecutive lines, or fenced code with its empty lines. */
function block(lines) {
  const [first] = lines;
  const [, marks, heading] = /^(#+) (.*)$/.exec(first) ?? [];
  if (marks) {
    const title = marks.length < 3 ? ['.SH', heading.toUpperCase()] : ['.SS', heading];
    return [
      `${title[0]} "${literal(title[1]).replaceAll('"', '\\(dq')}"`,
      ...(lines.length > 1 ? block(lines.slice(1)) : []),
    ];
  }
  if (first.startsWith('```')) return code(lines.slice(1, -1));
  if (first.startsWith('    ')) return code(lines.map((line) => line.slice(4)));
  if (first.startsWith('|')) return table(lines);
  if (/^(-|\d+\.) /.test(first))
    return lines
      .join('\n')
      .split(/\n(?=- |\d+\. )/)
      .flatMap(item);
  return ['.PP', inline(lines.join('\n'))];
}

/** The page's blocks, in order. */
function blocksOf(markdown) {
  const blocks = [[]];
  let fenced = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) fenced = !fenced;
    if (line === '' && !fenced) blocks.push([]);
    else blocks.at(-1).push(line);
  }
  return blocks.filter((lines) => lines.length > 0);
}

/** Converts Markdown that begins with headings of the second level. */
export function roffOf(markdown) {
  return blocksOf(markdown).flatMap(block).join('\n');
}

/**
 * The whole page.
 * @param about `date` is of the form 2026-01-31; `summary` follows the name under NAME.
 */
export function page({ name, section, date, version, summary }, body) {
  const title = `.TH ${name.toUpperCase()} ${section} ${date} "vkmemd ${version}" "vkmemd"`;
  // Neither justified nor hyphenated: readers copy text from the page.
  return `${title}\n.nh\n.ad l\n.SH NAME\n${literal(`${name} - ${summary}`)}\n${body}\n`;
}
