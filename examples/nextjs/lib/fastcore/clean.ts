// What a visitor pasted, without what nobody sees, as the Rust site cleans it.
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;
const AROUND = /^[\p{White_Space}\p{Default_Ignorable_Code_Point}]+|[\p{White_Space}\p{Default_Ignorable_Code_Point}]+$/gu;
const JOINS = /[^\p{ASCII}]/u;

export type Kind = 'line' | 'code' | 'text';

/** Breaks of lines and pages become line breaks, in one line spaces; other control characters and half surrogates go. */
export function clean(text: string, kind: Kind): string {
  const lines = text
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '')
    .replace(/\r\n|[\n\r\u000b\u000c\u0085\u2028\u2029]/gu, kind === 'text' ? '\n' : ' ')
    .replace(/\t/gu, kind === 'text' ? '\t' : ' ')
    .replace(/(?![\n\t])\p{Cc}/gu, '');
  return (kind === 'code' ? withoutInvisible(lines) : lines).replace(AROUND, '');
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
