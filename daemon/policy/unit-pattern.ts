/**
 * Names of systemd units (systemd.unit(5)), and patterns over them.
 */

const TYPES = 'service|socket|target|device|mount|automount|swap|timer|path|slice|scope';
/** A unit's name, of an instance or not; a template (name@.service) runs no processes. */
const UNIT = new RegExp(`^(?=.{1,255}$)[A-Za-z0-9:_.\\\\-]+(@[A-Za-z0-9:_.\\\\@-]+)?\\.(${TYPES})$`);
const CHARACTERS = /^[A-Za-z0-9:_.\\@*?-]{1,255}$/;

/** Whether it is the name of a unit that can run processes, of a known type. */
export function isUnitName(name: string): boolean {
  return UNIT.test(name);
}

/** A pattern over the whole name of a unit: `*` stands for any characters, `?` for one. */
export class UnitPattern {
  readonly text: string;
  readonly #expression: RegExp;

  private constructor(text: string) {
    this.text = text;
    const literal = text.replace(/[.\\+^${}()|[\]]/g, '\\$&');
    this.#expression = new RegExp(`^${literal.replace(/\*+/g, '.*').replaceAll('?', '.')}$`);
  }

  /** Undefined where the text has characters that unit names cannot have. */
  static of(text: string): UnitPattern | undefined {
    return CHARACTERS.test(text) ? new UnitPattern(text) : undefined;
  }

  test(unit: string): boolean {
    return this.#expression.test(unit);
  }

  /** Whether certainly no unit's name matches: all of them end with their type. */
  get neverFits(): boolean {
    const end = /[^*?]*$/.exec(this.text)?.[0] ?? '';
    if (end === this.text) return !UNIT.test(end);
    return !TYPES.split('|').some((type) => end.endsWith(`.${type}`) || `.${type}`.endsWith(end));
  }
}
