/**
 * The groups of the sockets that clients connect to: without a rule that says otherwise, their members are tenants.
 *
 * A socket that the daemon creates has its group, or that of the folder: where it is setgid, or its file system
 * gives files their folder's group (mount option grpid, a volume with fsGroup).
 */
import { statSync } from 'node:fs';

const PLANES = ['handoff', 'control'] as const;
type Plane = (typeof PLANES)[number];

/** Sockets that the service manager listens on, with the group of their file. */
type Activated = Readonly<Partial<Record<Plane, { readonly gid: number } | undefined>>>;

export class SocketGroups {
  /** Changed by created(): rules that hold it follow. */
  readonly all: ReadonlySet<number>;
  readonly #all = new Set<number>();
  readonly #activated: Activated;
  readonly #own: number;

  /** @param own The daemon's group, for sockets that it has still to create. */
  constructor(activated: Activated, own: number) {
    this.#activated = activated;
    this.#own = own;
    this.all = this.#all;
    this.created({});
  }

  /** @param paths Of the sockets that the daemon has created. */
  created(paths: Readonly<Partial<Record<Plane, string | undefined>>>): void {
    this.#all.clear();
    for (const plane of PLANES) this.#all.add(this.#activated[plane]?.gid ?? this.#groupOf(paths[plane]));
  }

  #groupOf(path: string | undefined): number {
    if (path === undefined) return this.#own;
    return statSync(path, { throwIfNoEntry: false })?.gid ?? this.#own;
  }
}
