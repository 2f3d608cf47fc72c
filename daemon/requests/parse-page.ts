/** Parses the fields of a request for a page of a list (https://google.aip.dev/158). */
import { VkmemError } from '@vkmemd/proto';

/** The maximum number of entries of a page. */
const MAX_PAGE = 500;

/**
 * The number of entries of a page; undefined for 0. A number above the maximum is lowered to it.
 * @throws VkmemError INVALID_ARGUMENT if it is negative.
 */
export function parsePageSize(size: number): number | undefined {
  if (size < 0) {
    throw new VkmemError('INVALID_ARGUMENT', `page_size is ${size}.`, { field: 'page_size' });
  }
  return size === 0 ? undefined : Math.min(size, MAX_PAGE);
}

/**
 * The parts of a page token, as the pattern captures them; undefined for an empty one, which is the first
 * page's.
 * @throws VkmemError INVALID_ARGUMENT for a token that no page has.
 */
export function parsePageToken(token: string, pattern: RegExp): readonly string[] | undefined {
  if (token === '') return undefined;
  const [, ...parts] = pattern.exec(token) ?? [];
  if (parts.length > 0) return parts;
  throw new VkmemError(
    'INVALID_ARGUMENT',
    'page_token is not one of this list.',
    { field: 'page_token' },
    undefined,
    'Send the next_page_token of the previous page, or none for the first page.',
  );
}
