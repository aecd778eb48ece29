// What a visitor pasted, without what nobody sees, as the Rust site cleans it.
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;
const AROUND = /[\p{White_Space}\p{Default_Ignorable_Code_Point}]/u;
/** May be part of the emoji that it follows. */
const BELONGS_TO_THE_LAST = /[\ufe00-\ufe0f\u{e0020}-\u{e007f}]/u;
const JOINS = /[^\p{ASCII}]/u;

export type Kind = 'line' | 'code' | 'text';

/** Breaks of lines and pages become line breaks, in one line spaces; other control characters and half surrogates go. */
export function clean(text: string, kind: Kind): string {
  const lines = text
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '')
    .replace(/\r\n|[\n\r\u000b\u000c\u0085\u2028\u2029]/gu, kind === 'text' ? '\n' : ' ')
    .replace(/\t/gu, kind === 'text' ? '\t' : ' ')
    .replace(/(?![\n\t])\p{Cc}/gu, '');
  return trim(kind === 'code' ? withoutInvisible(lines) : lines);
}

/** By two steps from the ends: an expression for it takes the square of a text's length. */
function trim(text: string): string {
  const letters = [...text];
  const isAround = (letter = '') => AROUND.test(letter);
  let start = 0;
  let end = letters.length;
  while (start < end && isAround(letters[start])) start += 1;
  while (end > start && isAround(letters[end - 1]) && !BELONGS_TO_THE_LAST.test(letters[end - 1] ?? '')) end -= 1;
  return letters.slice(start, end).join('');
}

function withoutInvisible(text: string): string {
  const letters = [...text];
  return letters
    .filter((letter, i) => {
      const isJoiner = letter === '\u200c' || letter === '\u200d';
      // Between letters of some scripts it makes another name of a domain.
      if (isJoiner && JOINS.test(letters[i - 1] ?? 'a') && JOINS.test(letters[i + 1] ?? 'a')) return true;
      return !INVISIBLE.test(letter);
    })
    .join('')
    .replace(/\p{White_Space}/gu, ' ');
}

/** Whether a text shows something to the eye. */
export function isReadable(text: string): boolean {
  return /[^\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}\p{Mn}\p{Me}\u2800\ufffd]/u.test(text);
}
