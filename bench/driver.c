// What a program holds that has the device open and does nothing with it: driver DEVICE. DEVICE is a UUID, 32
// hexadecimal digits. Prints `ready` and waits until its standard input ends. Exit codes: 0; 1 with the
// reason on standard error.

#include <unistd.h>

#include "gpu/device.h"

int main(int argc, char** argv) {
  if (argc != 2) Fail("Usage: driver DEVICE");
  OpenDevice(argv[1]);
  printf("ready\n");
  fflush(stdout);
  while (getchar() != EOF) continue;
  // NVIDIA's driver fails in exit handlers while its threads run.
  _exit(0);
}
