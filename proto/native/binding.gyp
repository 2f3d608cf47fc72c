{
  'targets': [
    {
      # Sockets that carry fds, peer identity, memfds, mappings, eventfds. Requires only libc and Node's
      # headers.
      'target_name': 'vkmem_proto',
      'sources': [
        'addon.cc',
        'ancillary.cc',
        'close_on_exec.cc',
        'closers.cc',
        'confine.cc',
        'connection.cc',
        'connection_binding.cc',
        'datagram.cc',
        'datagram_receiver.cc',
        'dma_buf.cc',
        'ends.cc',
        'event.cc',
        'exec.cc',
        'exit.cc',
        'fd.cc',
        'fd_stream.cc',
        'fd_stream_binding.cc',
        'file_status.cc',
        'flight.cc',
        'kernel_error.cc',
        'listener.cc',
        'mapping.cc',
        'memfd.cc',
        'outbox.cc',
        'parent.cc',
        'peer.cc',
        'process_access.cc',
        'program_strings.cc',
        'reaper.cc',
        'seal.cc',
        'socket.cc',
        'spawn.cc',
        'tcp.cc',
        'thread.cc',
        'watch.cc',
      ],
      'defines': [
        'NAPI_VERSION=9',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        # In a worker that is being terminated, exceptions can no longer be thrown into JavaScript. This must
        # not abort the process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
        '_GNU_SOURCE',
      ],
      # Node would unload the addon after its last environment, but the reaper's threads outlive all
      # environments.
      'ldflags': ['-Wl,-z,nodelete'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-std=c++17'],
      'cflags_cc': [
        '-std=c++20',
        '-fvisibility=hidden',
        '-fno-exceptions',
        '-Wall',
        '-Wextra',
        '-Wshadow',
        # Warnings in system headers are ignored.
        '-isystem <!(node -p "require(\'path\').dirname(require.resolve(\'node-addon-api\'))")',
      ],
    },
    {
      # The launcher of the daemon's front. Requires only libc.
      'target_name': 'vkmemd_front_launcher',
      'type': 'executable',
      'sources': ['launcher.c', 'launcher_filter.c'],
      'defines': ['_GNU_SOURCE'],
      'cflags_c': ['-std=c11', '-Wall', '-Wextra', '-Wshadow'],
    },
  ],
}
