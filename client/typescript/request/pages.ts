/** Lists that the daemon returns in pages. */

/** Entries in a page: the most that the daemon returns. */
const PAGE_SIZE = 500;

/** The fields of a request for a page. */
interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * Requests all pages, one after the other. An entry that begins or ends meanwhile may be missing; all others are listed
 * exactly once.
 * @param ask requests one page.
 * @throws what `ask` throws.
 */
export async function allPages<P extends { readonly nextPageToken: string }, T>(
  ask: (fields: PageFields) => Promise<P>,
  entriesOf: (page: P) => readonly T[],
): Promise<T[]> {
  const all: T[] = [];
  let pageToken = '';
  do {
    const page = await ask({ pageSize: PAGE_SIZE, pageToken });
    all.push(...entriesOf(page));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
}
