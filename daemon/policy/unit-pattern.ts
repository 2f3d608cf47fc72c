/**
 * Names of systemd units (systemd.unit(5)), and patterns over them.
 */

const TYPES = 'service|socket|target|device|mount|automount|swap|timer|path|slice|scope';
/**
 * The name of a unit, which may be an instance. Templates (name@.service) are excluded: they run no
 * processes.
 */
const UNIT = new RegExp(`^(?=.{1,255}$)[A-Za-z0-9:_.\\\\-]+(@[A-Za-z0-9:_.\\\\@-]+)?\\.(${TYPES})$`);
const CHARACTERS = /^[A-Za-z0-9:_.\\@*?-]{1,255}$/;

/** Whether the text is the name of a unit of a known type that can run processes. */
export function isUnitName(name: string): boolean {
  return UNIT.test(name);
}

/** A pattern that matches the whole name of a unit: `*` stands for any characters, `?` for one. */
export class UnitPattern {
  readonly text: string;
  readonly #expression: RegExp;

  private constructor(text: string) {
    this.text = text;
    const literal = text.replace(/[.\\+^${}()|[\]]/g, '\\$&');
    this.#expression = new RegExp(`^${literal.replace(/\*+/g, '.*').replaceAll('?', '.')}$`);
  }

  /** Undefined if the text has characters that names of units cannot have. */
  static of(text: string): UnitPattern | undefined {
    return CHARACTERS.test(text) ? new UnitPattern(text) : undefined;
  }

  test(unit: string): boolean {
    return this.#expression.test(unit);
  }

  /** Whether no unit's name can match: every name ends with its type. */
  get neverFits(): boolean {
    const end = /[^*?]*$/.exec(this.text)?.[0] ?? '';
    if (end === this.text) return !UNIT.test(end);
    return !TYPES.split('|').some((type) => end.endsWith(`.${type}`) || `.${type}`.endsWith(end));
  }
}
