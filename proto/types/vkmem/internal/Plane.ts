// Original file: proto/vkmem/internal/front.proto

/**
 * The socket that a caller connected to.
 */
export const Plane = {
  PLANE_UNSPECIFIED: 'PLANE_UNSPECIFIED',
  /**
   * gRPC on the control socket.
   */
  PLANE_CONTROL: 'PLANE_CONTROL',
  /**
   * HTTP on the admin socket.
   */
  PLANE_ADMIN: 'PLANE_ADMIN',
  /**
   * HTTP on a loopback address, where callers have no identity.
   */
  PLANE_ADMIN_TCP: 'PLANE_ADMIN_TCP',
} as const;

/**
 * The socket that a caller connected to.
 */
export type Plane =
  | 'PLANE_UNSPECIFIED'
  | 0
  /**
   * gRPC on the control socket.
   */
  | 'PLANE_CONTROL'
  | 1
  /**
   * HTTP on the admin socket.
   */
  | 'PLANE_ADMIN'
  | 2
  /**
   * HTTP on a loopback address, where callers have no identity.
   */
  | 'PLANE_ADMIN_TCP'
  | 3

/**
 * The socket that a caller connected to.
 */
export type Plane__Output = typeof Plane[keyof typeof Plane]
