/**
 * The arrows of docs/architecture.md: what each part of the sources may import. Checked by `npm run lint` and by
 * test/architecture/arrows.test.ts.
 *
 * An import of a type counts as any other (tsPreCompilationDeps). The packages of this workspace resolve to their
 * sources, by the paths of .dependency-cruiser.tsconfig.json.
 */

/** Starts everything and joins it: the only file that imports planes, and the core. */
const COMPOSITION_ROOT = 'daemon/daemon.ts';
/** The composition root's part below the planes: makes the collaborators of requests and planes. */
const CORE = 'daemon/core.ts';
/** The device: the one file of daemon/vulkan/ that a plane shows. */
const DEVICE = 'daemon/vulkan/device.ts';
/** Files of daemon/ that join parts. What else lies there (arguments, signals, the runtime folder) knows none. */
const JOINTS = ['main', 'daemon', 'core', 'inherited-resources', 'inquiry', 'open-device'];
const PLANES = ['daemon/handoff/', 'daemon/callers/', 'daemon/ivshmem/'];
/** The messages between the core and the front, the only part of ours that both know besides proto. */
const LINK = 'daemon/link/';
/** The front: a process of its own. */
const FRONT = 'daemon/front/';
const BELOW_MEMORY = ['proto/', 'daemon/limits/', 'daemon/policy/', 'daemon/vulkan/'];
const BELOW_REQUESTS = [...BELOW_MEMORY, 'daemon/memory/'];
/** What the daemon reports about itself as a whole. */
const STATUS = 'daemon/status.ts';
/** The file of a socket: what may be removed. */
const SOCKET_FILE = 'daemon/socket-file.ts';
const BELOW_PLANES = ['proto/', 'daemon/limits/', 'daemon/policy/', 'daemon/memory/', 'daemon/requests/'];

/** What both programs know about themselves. */
const PROGRAM = ['daemon/exit-status.ts', 'daemon/version.ts'];

/** What a part may import besides itself, packages aside. */
const ARROWS = {
  'proto/': [],
  'client/': ['proto/'],
  'daemon/limits/': ['proto/'],
  'daemon/policy/': ['proto/'],
  'daemon/vulkan/': ['proto/'],
  'daemon/memory/': BELOW_MEMORY,
  'daemon/requests/': [...BELOW_REQUESTS, STATUS],
  'daemon/metrics/': [...BELOW_PLANES, DEVICE, STATUS],
  ...Object.fromEntries(PLANES.map((plane) => [plane, BELOW_PLANES])),
  'daemon/ivshmem/': [...BELOW_PLANES, SOCKET_FILE],
  'daemon/callers/': [...BELOW_PLANES, LINK, ...PROGRAM],
  [LINK]: ['proto/'],
  [FRONT]: ['proto/', LINK, 'daemon/limits/shares.ts', 'daemon/limits/token-bucket.ts', ...PROGRAM],
  'daemon/store/': BELOW_REQUESTS,
  'daemon/systemd/': ['proto/', 'daemon/memory/', 'daemon/store/'],
  'daemon/supervisor/': [
    'proto/',
    'daemon/exit-status.ts',
    'daemon/folder-lock.ts',
    SOCKET_FILE,
    'daemon/store/names.ts',
    'daemon/systemd/datagram.ts',
    'daemon/systemd/logged-error.ts',
    'daemon/systemd/standard-output.ts',
  ],
  [CORE]: [...BELOW_REQUESTS, 'daemon/requests/'],
};

const starts = (paths) => paths.map((path) => `^${path.replaceAll('.', '[.]')}`);
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

const arrows = Object.entries(ARROWS).map(([part, allowed]) =>
  rule(
    `arrow ${part}`,
    `imports of ours only ${allowed.join(', ') || 'nothing'}`,
    { path: starts([part]) },
    { path: starts(['proto/', 'client/', 'daemon/']), pathNot: starts([part, ...allowed]) },
  ),
);

/** Every way in which a package can be depended upon. */
const PACKAGE = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled', 'npm-no-pkg', 'npm-unknown'];
/** gRPC and HTTP, and what prints metrics. */
const FRONT_PACKAGES =
  '^node_modules/(@grpc/(grpc-js|reflection)|grpc-health-check|@fastify|fastify|prom-client|typebox)/';

module.exports = {
  forbidden: [
    ...arrows,
    rule(
      'arrow daemon/*.ts',
      'knows no part of the daemon, except where parts are joined',
      { path: '^daemon/[^/]+[.]ts$', pathNot: `^daemon/(${JOINTS.join('|')})[.]ts$` },
      { path: ['^client/', '^daemon/.+/'] },
    ),
    rule(
      'planes',
      'only the composition root imports a plane',
      { pathNot: starts([COMPOSITION_ROOT, ...PLANES]) },
      { path: starts(PLANES) },
    ),
    rule(
      'front apart',
      'nothing of the core loads the front, which is a process of its own',
      { path: '^daemon/', pathNot: starts([FRONT]) },
      { path: starts([FRONT]) },
    ),
    rule(
      'client and daemon',
      'neither imports the other',
      { path: '^(daemon|client)/' },
      { path: '^(daemon|client)/', pathNot: '^$1/' },
    ),
    rule(
      'core',
      'only the composition root makes it; every other file takes the collaborators that it uses',
      { pathNot: starts([COMPOSITION_ROOT]) },
      { path: starts([CORE]) },
    ),
    rule(
      'device shown',
      'a plane knows the type of the device, and opens none',
      { path: starts(PLANES) },
      { path: starts([DEVICE]), dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'kinds apart from probes',
      'what hands memory out is known without what tries it',
      { path: '^daemon/vulkan/(planner|mappable|opaque-fd|dma-buf|rdma-address)[.]ts$' },
      { path: '^daemon/vulkan/probe/' },
    ),
    rule(
      'packages of memory and vulkan',
      'the domain and the device use no package: no socket, no gRPC',
      { path: starts(['daemon/memory/', 'daemon/requests/', 'daemon/vulkan/']) },
      { dependencyTypes: PACKAGE },
    ),
    rule(
      'packages of proto',
      'the contract needs its codec, descriptors, and of gRPC only types',
      { path: '^proto/' },
      {
        dependencyTypes: PACKAGE,
        dependencyTypesNot: ['type-only'],
        pathNot: '^node_modules/(@grpc/proto-loader|long|protobufjs)/',
      },
    ),
    rule(
      'front',
      'only the front speaks gRPC and HTTP',
      { path: '^daemon/', pathNot: starts([FRONT]) },
      { path: FRONT_PACKAGES },
    ),
    rule(
      'declared packages',
      'the manifest of a workspace declares what it imports',
      {},
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    rule('circles', 'no import circle, of values or of types', {}, { circular: true }),
    rule('resolvable', 'every import is found', {}, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: '^node_modules/' },
    exclude: { path: '^(client|daemon|proto)/.*(dist|build)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: '.dependency-cruiser.tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
